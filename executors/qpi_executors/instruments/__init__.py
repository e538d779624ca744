"""Executors of a chip behind a control stack: one compiler front, and a module for each library that drives one."""
