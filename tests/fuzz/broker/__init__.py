"""Fuzzing of what the broker reads of its peers."""
