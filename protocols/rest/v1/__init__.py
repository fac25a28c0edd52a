"""Segue's own API over HTTP, below `/v1`: queues, topics, messages, leases, jobs, and its description in OpenAPI."""
