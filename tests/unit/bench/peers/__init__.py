"""Unit tests of segue.bench.peers."""
