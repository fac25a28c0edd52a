"""Tests of the running daemon and of the installed package, from outside."""
