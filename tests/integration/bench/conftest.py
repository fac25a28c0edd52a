"""A daemon for each module."""

from tests.helpers.broker_process import module_broker, queue_name

__all__ = ["module_broker", "queue_name"]
