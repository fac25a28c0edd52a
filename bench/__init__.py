"""The load generator `segue bench`, for any STOMP broker."""
