"""What operators and their tools ask over HTTP: whether the broker lives, what it is, and what it does."""
