"""Unit tests of segue.broker.settings."""
