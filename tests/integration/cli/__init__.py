"""The commands of `segue`, against a real daemon."""
