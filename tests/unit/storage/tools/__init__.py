"""Unit tests of segue.storage.tools."""
