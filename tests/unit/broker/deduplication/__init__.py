"""Tests of once-only publishing."""
