"""Unit tests of segue.protocols.control."""
