"""The options of a simulation; this module imports nothing slow."""

from __future__ import annotations

import argparse
from pathlib import Path


def add(command: argparse.ArgumentParser, *, required: bool = True) -> None:
    """Adds the options for catalogs, loads and the simulated cluster to `command`."""
    command.add_argument(
        "catalogs", nargs="+" if required else "*", type=Path, metavar="CATALOG", help="catalog of a game"
    )
    command.add_argument(
        "--load",
        action="append",
        required=required,
        default=[],
        metavar="[GAME=]LOAD",
        help="load: a CSV file with the columns time (or timestamp, t, t_s) and rps (or value, requests_per_s, rate); "
        "or a shape: steady, step, ramp, spike, day, optionally with parameters: day:peak=2000,trough=200,at=68400",
    )
    command.add_argument(
        "--profile", type=Path, metavar="FILE", help="costs of the models, from `python -m loadtest profile --all`"
    )
    command.add_argument(
        "--offers", type=_positive, default=1, metavar="N", help="number of offers per request (default: 1)"
    )
    command.add_argument("--cores", type=_number, metavar="N", help="cores of all nodes (default: no limit)")
    command.add_argument(
        "--image-s", type=_number, default=2.0, metavar="S", help="seconds to pull an image (default: 2)"
    )
    command.add_argument(
        "--api-down",
        type=_span,
        action="append",
        default=[],
        metavar="START-END",
        help="span in which the metrics APIs fail, in seconds from the start of the load, for example 68400-69000; "
        "can be repeated",
    )
    command.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the random numbers (default: 0)")


def _positive(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 10_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 10000")
    return int(text)


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1e6:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of at least 0")
    return value


def _span(text: str) -> tuple[float, float]:
    start, _, end = text.partition("-")
    try:
        return _number(start), _number(end)
    except argparse.ArgumentTypeError:
        problem = f"{text!r} is not a span; write START-END, for example 68400-69000"
        raise argparse.ArgumentTypeError(problem) from None
