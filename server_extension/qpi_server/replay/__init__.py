"""Trying a policy on jobs of the past, or on invented ones: `trace`, `simulate`, `report`."""
