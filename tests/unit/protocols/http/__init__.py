"""HTTP: heads, targets, routes, the parser."""
