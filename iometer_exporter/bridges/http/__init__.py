"""The wire to a bridge: connections, two at most to a device, and the answers that come over them."""
