"""Unit tests of segue.bench."""
