"""What both sources need of the network: addresses, names, and how much of it there may be."""
