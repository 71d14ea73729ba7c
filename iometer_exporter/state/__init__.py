"""The state file: what must be known after a restart."""
