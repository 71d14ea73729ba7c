"""Whose certificates the provider API is believed with."""

import os
import ssl

import certifi


def tls_context() -> ssl.SSLContext:
    """Verification with the certificates of the system, or those that `SSL_CERT_FILE` names."""
    context = ssl.create_default_context()
    if not os.environ.get("SSL_CERT_FILE") and not os.environ.get("SSL_CERT_DIR"):
        # A small image may have none of its own.
        context.load_verify_locations(certifi.where())
    return context
