"""Bridges that announce themselves by mDNS: what is heard, and which of it is read."""
