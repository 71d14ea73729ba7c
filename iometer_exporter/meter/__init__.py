"""The words of a meter and what may be believed of them; no I/O."""
