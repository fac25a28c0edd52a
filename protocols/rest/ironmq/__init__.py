"""The gateway that clients of IronMQ v3 use unchanged: everything under `/3`."""
