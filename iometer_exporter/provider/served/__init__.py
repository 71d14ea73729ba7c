"""Installations in memory, and their lines in the exposition; no I/O."""
