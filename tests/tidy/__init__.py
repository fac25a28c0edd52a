"""Tests of the source text: sizes, names, docstrings, packaging lists."""
