"""Property tests of the broker's model."""
