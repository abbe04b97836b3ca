"""`python -m loadtest`: the load tests' command line."""

from __future__ import annotations

import argparse
import sys

from loadtest.bench import command as bench
from loadtest.compare import command as compare


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m loadtest", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser("bench", help="W15 beside a monolith, S15 beside its limit")
    bench.add_options(command)
    command.set_defaults(run=bench.run)
    command = commands.add_parser("compare", help="this mesh beside a monolith, a naive mesh and Ray Serve")
    compare.add_options(command)
    command.set_defaults(run=compare.run)
    options = parser.parse_args()
    return int(options.run(options))


if __name__ == "__main__":
    sys.exit(main())
