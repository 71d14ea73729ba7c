"""Background work: the inventory and the readings, read from the cloud."""
