"""The Jupyter extension: its traits become a lab, its handlers the lab's surfaces."""
