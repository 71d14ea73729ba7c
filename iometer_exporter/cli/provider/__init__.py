"""The commands that ask the provider API."""
