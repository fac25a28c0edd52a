"""Random bytes and flipped bits for what reads files."""
