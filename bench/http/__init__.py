"""Queues over HTTP: Segue's doors at depth, and RabbitMQ's beside them: `make -C bench http`."""
