"""Fuzzing of the STOMP codec."""
