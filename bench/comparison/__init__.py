"""The comparison with other brokers on one machine: `make -C bench compare`."""
