"""Messages over HTTP: what the interfaces share that take and hand out messages by requests."""
