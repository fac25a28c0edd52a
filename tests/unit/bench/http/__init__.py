"""Unit tests of the measurement of HTTP."""
