"""Integration tests of `segue bench` and of the comparison."""
