"""Unit tests of segue.broker.schedule."""
