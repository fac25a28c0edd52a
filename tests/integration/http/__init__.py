"""HTTP from outside: real sockets, a real daemon."""
