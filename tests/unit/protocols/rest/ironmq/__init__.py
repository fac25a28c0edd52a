"""protocols/rest/ironmq: the gateway for clients of IronMQ."""
