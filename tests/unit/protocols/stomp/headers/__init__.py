"""What the headers of each frame of a client ask for."""
