"""`python -m loadtest`: the load tests' command line."""

from __future__ import annotations

import argparse
import asyncio
import sys

from rich.console import Console

from loadtest.bench import command as bench
from loadtest.capacity import command as profile
from loadtest.compare import command as compare
from loadtest.faults import CannotMeasure
from loadtest.features import command as features
from loadtest.fleet import command as fleet
from loadtest.forest import command as forest
from loadtest.outages import command as outages
from loadtest.run import command as run
from mesh.errors import Misconfigured
from mesh.model_file import BadModel

NOT_MEASURED, INTERRUPTED = 2, 130
COMMANDS = {
    "run": (run, "requests on a schedule to a running mesh: what it bears, where the tail comes from"),
    "profile": (profile, "what one replica of a model bears, as profile.json"),
    "bench": (bench, "the reference workloads beside a monolith and beside the limit"),
    "forest": (forest, "our scoring engine beside LightGBM: CPU of a row, start, memory; are the scores the same?"),
    "features": (features, "what players from DynamoDB cost, beside plain aiobotocore and beside SQLite"),
    "outages": (outages, "the store of players fails in every way: what callers get, and whether it is true"),
    "fleet": (fleet, "180 models: time to check and to render them, cost of a supervisor with 180 idle lanes"),
    "compare": (compare, "this mesh beside a monolith, a naive mesh and Ray Serve"),
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m loadtest", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, (command, summary) in COMMANDS.items():
        options = commands.add_parser(name, help=summary, description=command.__doc__)
        command.add_options(options)
        options.set_defaults(run=command.run)
    chosen = parser.parse_args()
    try:
        return int(chosen.run(chosen))
    except (CannotMeasure, BadModel) as error:
        faults = [str(error)]
    except Misconfigured as error:
        faults = error.faults
    except (KeyboardInterrupt, asyncio.CancelledError):
        return INTERRUPTED
    said = Console(stderr=True, highlight=False)
    for fault in faults:
        said.print(fault, style="red", markup=False, soft_wrap=True)
    return NOT_MEASURED


if __name__ == "__main__":
    sys.exit(main())
