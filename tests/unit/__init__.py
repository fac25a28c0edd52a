"""Unit tests: one file for each source file, at the same path."""
