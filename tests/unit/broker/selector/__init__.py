"""Tests of the selector language."""
