"""Every feature of queues with every other, over a disk that crashes."""
