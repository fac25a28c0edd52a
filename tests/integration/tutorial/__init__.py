"""The documentation: its tutorials run word for word, and what it names is there."""
