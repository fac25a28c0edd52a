"""Queue features at depth, each against the plain queue: `make -C bench features`."""
