"""protocols/rest: what the interfaces to messages over HTTP share."""
