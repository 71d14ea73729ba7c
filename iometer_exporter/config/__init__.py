"""The files that people write, read strictly, as frozen objects."""
