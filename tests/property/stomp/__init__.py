"""Property tests of the STOMP codec."""
