"""Every socket and every wire format."""
