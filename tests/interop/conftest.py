"""The daemon, for tests with real clients."""

from tests.helpers.broker_process import broker_factory, module_broker, queue_name

__all__ = ["broker_factory", "module_broker", "queue_name"]
