"""The options that describe a simulated world; imports nothing that takes time."""

from __future__ import annotations

import argparse
from pathlib import Path


def add(command: argparse.ArgumentParser, *, required: bool = True) -> None:
    """The catalogs, their load, and the rest of the world."""
    command.add_argument(
        "catalogs", nargs="+" if required else "*", type=Path, metavar="CATALOG", help="a game's catalog"
    )
    command.add_argument(
        "--load",
        action="append",
        required=required,
        default=[],
        metavar="[GAME=]LOAD",
        help="a CSV file with the columns time and rps, or a shape: steady, step, ramp, spike, day, with words such as "
        "day:peak=2000,trough=200,at=68400",
    )
    command.add_argument("--profile", type=Path, metavar="FILE", help="of `python -m loadtest profile --all`")
    command.add_argument(
        "--offers", type=_positive, default=1, metavar="N", help="ranked for each request (default: 1)"
    )
    command.add_argument("--cores", type=_number, metavar="N", help="of all nodes (default: always enough)")
    command.add_argument(
        "--image-s", type=_number, default=2.0, metavar="S", help="until an image is there (default: 2)"
    )
    command.add_argument("--api-down", type=_span, action="append", default=[], metavar="S-S", help="metrics fail then")
    command.add_argument("--seed", type=int, default=0, metavar="N", help="of everything that is drawn (default: 0)")


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
    begun, _, ended = text.partition("-")
    return _number(begun), _number(ended)
