"""What reads the cloud in the background: the inventory and the readings."""
