"""Tests of the wheel, installed into an empty environment."""
