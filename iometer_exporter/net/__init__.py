"""The network as both sources need it: addresses, names, and the number of connections there may be."""
