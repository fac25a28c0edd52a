"""Tests of segue.broker.retained."""
