"""Push queues."""
