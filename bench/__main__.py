"""`python -m segue.bench`: the load generator by itself."""

import argparse
import sys

from segue.bench.cli import add_arguments, run

__all__: list[str] = []

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="segue bench", description="Measure a STOMP broker.")
    add_arguments(parser)
    sys.exit(run(parser.parse_args()))
