"""Unit tests of segue.protocols."""
