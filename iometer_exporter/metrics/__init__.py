"""The table of metric families, and the text formats; no I/O."""
