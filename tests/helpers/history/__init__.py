"""Histories: what clients have seen of the broker, and the proof of what it did wrong."""
