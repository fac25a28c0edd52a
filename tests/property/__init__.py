"""Property tests: what must hold under any sequence of operations."""
