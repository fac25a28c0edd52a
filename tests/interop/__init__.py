"""Tests with real clients that others wrote."""
