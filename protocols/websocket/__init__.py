"""WebSocket (RFC 6455): carries other protocols, which come by entry point, over connections that HTTP hands over."""
