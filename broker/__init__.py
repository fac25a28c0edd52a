"""What a message broker is: queues, topics, consumers, credit, transactions, tenants."""

__all__ = ["__version__"]

# The only place where the version is written: setup.cfg reads it from here.
__version__ = "0.1.0"
