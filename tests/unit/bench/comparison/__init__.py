"""Unit tests of segue.bench.comparison."""
