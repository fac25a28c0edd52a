"""Messages over HTTP, from outside."""
