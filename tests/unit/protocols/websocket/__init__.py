"""Unit tests of segue.protocols.websocket."""
