"""Unit tests of the measurement of queue features."""
