"""`python -m segue.broker`: the command `segue`, for where scripts are not on the path."""

import sys

from segue.broker.cli import main

__all__: list[str] = []

if __name__ == "__main__":
    sys.exit(main())
