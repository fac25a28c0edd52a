"""Tests of segue.protocols.admin."""
