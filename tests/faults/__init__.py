"""Tests of what happens when the disk, the network or a peer misbehaves."""
