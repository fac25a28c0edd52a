"""Property tests of the HTTP codec."""
