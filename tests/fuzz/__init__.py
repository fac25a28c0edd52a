"""Random and mutated bytes at every parser."""
