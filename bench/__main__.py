"""`python -m segue.bench`: the same as `segue bench`."""

import sys

from segue.broker.cli import main

__all__: list[str] = []

if __name__ == "__main__":
    sys.exit(main(["bench", *sys.argv[1:]]))
