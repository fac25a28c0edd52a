"""Unit tests of segue.protocols.stomp."""
