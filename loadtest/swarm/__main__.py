"""`python -m loadtest.swarm`: locust with the mesh's locustfile; see `loadtest locust`.

Locust prints its help before it reads a locustfile. Here its help has the options of the mesh, too.
"""

from __future__ import annotations

import sys

from loadtest.extra_packages import EXTRA_PACKAGES, not_installed

try:
    import locust.main  # before all that it affects: it replaces blocking calls of the standard library
    import plotly  # noqa: F401  # the locustfile needs it
except ModuleNotFoundError as error:
    package = (error.name or "").partition(".")[0]
    if package not in EXTRA_PACKAGES:
        raise
    print(not_installed("locust", package), file=sys.stderr)
    sys.exit(2)

from loadtest.swarm.command_line import with_defaults
from loadtest.swarm.options import add_options


def main() -> None:
    """Runs locust."""
    if {"-h", "--help"} & set(sys.argv[1:]):
        locust.events.init_command_line_parser.add_listener(add_options)
    sys.argv = with_defaults(sys.argv[1:])
    locust.main.main()


if __name__ == "__main__":
    main()
