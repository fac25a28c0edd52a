"""Unit tests of segue.storage."""
