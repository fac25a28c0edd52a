"""Push to subscribers."""
