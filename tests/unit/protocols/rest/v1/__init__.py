"""Segue's own API."""
