"""Messages that are delivered later: after a delay, at a time, again and again."""
