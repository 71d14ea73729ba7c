"""What is known of a fleet in memory, and its lines on the page; no I/O."""
