"""Tools that look into a data directory, stopped or running: check, show, dump, salvage."""
