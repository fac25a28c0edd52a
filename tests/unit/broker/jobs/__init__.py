"""Unit tests of segue.broker.jobs."""
