"""Storage on a disk that crashes, tears, forgets, lies and fills up."""
