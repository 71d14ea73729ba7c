"""The HTTP application, what guards it, and the server that runs it."""
