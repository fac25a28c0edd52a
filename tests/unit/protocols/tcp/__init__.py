"""Unit tests of segue.protocols.tcp."""
