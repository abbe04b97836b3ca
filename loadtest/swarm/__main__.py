"""`python -m loadtest.swarm`: locust with the mesh's locustfile; see `loadtest locust`.

Locust prints its help before it reads a locustfile. Here its help has the options of the mesh, too.
"""

from __future__ import annotations

import sys
from pathlib import Path

import locust.main  # first: it replaces blocking calls of the standard library

from loadtest.swarm.options import add_options

FILE = Path(__file__).parents[1] / "locustfile.py"
HOST = ("--host", "127.0.0.1:7000", "--web-host", "127.0.0.1")


def main() -> None:
    """Runs locust."""
    arguments = sys.argv[1:]
    if {"-h", "--help"} & set(arguments):
        locust.events.init_command_line_parser.add_listener(add_options)
    sys.argv = ["locust", "-f", str(FILE), *HOST, *arguments]
    locust.main.main()


if __name__ == "__main__":
    main()
