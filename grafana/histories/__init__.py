"""Simulated days in a Prometheus: what happens in them, the samples, the blocks, the server."""
