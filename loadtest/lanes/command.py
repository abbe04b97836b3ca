"""`python -m loadtest lanes`: stops the process behind thousands of lanes; measures memory, CPU and the recovery."""

from __future__ import annotations

import argparse
import json

from rich.console import Console

from loadtest import interruption
from loadtest.lanes.trial import Stall, stall
from loadtest.measurement import machine
from loadtest.measurement.aims import Aim, aims_table
from loadtest.options import FOLDER, add_folder, positive_int
from mesh.cli.console import stdout

MEASURED = 0
SHORTEST_S = 10.0  # keepalive needs some seconds to notice that the worker is stopped


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    parser.add_argument("--lanes", type=positive_int, default=2000, help="number of lanes (default 2000)")
    parser.add_argument("--seconds", type=_stall_s, default=120.0, help="duration of the stall (default 120)")
    parser.add_argument("--json", action="store_true", help="print the figures as one line of JSON")
    add_folder(parser, FOLDER / "fleet")


def run(options: argparse.Namespace) -> int:
    """Runs the command; the exit code is 0 measured, 2 not measured, 130 interrupted."""
    stderr = Console(stderr=True, highlight=False)
    stderr.print(machine.described())
    progress = lambda line: stderr.print(line, markup=False)  # noqa: E731
    found = interruption.run(stall(options.lanes, options.seconds, options.folder.absolute(), progress))
    aims = _aims(found)
    if options.json:
        figures = {aim.text: round(aim.measured, 3) for aim in aims}
        print(json.dumps({"lanes": options.lanes, "stall, s": options.seconds, **figures}))
    else:
        stdout().print(aims_table(aims))
    return MEASURED


def _stall_s(text: str) -> float:
    seconds = float(text)
    if not SHORTEST_S <= seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a number of seconds of at least {SHORTEST_S:g}")
    return seconds


def _aims(found: Stall) -> list[Aim]:
    return [
        Aim(f"growth of the memory (PSS) above {found.before_mb:.0f} MB, MB", found.growth_mb, 20.0),
        Aim("CPU during the stall, % of a core", 100 * found.cpu_share, 20.0),
        Aim("all lanes up after the stall, s", found.recovery_s, 15.0),
    ]
