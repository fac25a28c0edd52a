"""STOMP from outside: each rule of the wire against a running daemon."""
