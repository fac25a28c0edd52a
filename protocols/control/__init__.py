"""The control socket, by which the commands of `segue` talk to a running daemon."""
