"""Push: messages that the broker POSTs to subscribers by HTTP, instead of waiting until somebody asks for them."""
