"""Unit tests of segue.broker.cli."""
