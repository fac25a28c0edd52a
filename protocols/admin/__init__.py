"""What operators and their tools ask over HTTP: whether the broker lives, and what it is."""
