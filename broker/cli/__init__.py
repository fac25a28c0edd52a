"""The command `segue`: one module a group of commands."""
