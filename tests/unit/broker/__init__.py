"""Unit tests of segue.broker."""
