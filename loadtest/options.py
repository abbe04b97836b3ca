"""Options that several load-test commands have in common, and the types of their values."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

FOLDER = Path("build/bench")


def positive_int(text: str) -> int:
    """A whole number above zero."""
    number = int(text)
    if number <= 0:
        raise argparse.ArgumentTypeError(f"{text} is not above zero")
    return number


def positive_float(text: str) -> float:
    """A finite number above zero."""
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not above zero")
    return number


def positive_ints(text: str) -> list[int]:
    """Whole numbers above zero, separated by commas."""
    return [positive_int(number) for number in text.split(",")]


def positive_floats(text: str) -> list[float]:
    """Finite numbers above zero, separated by commas."""
    return [positive_float(number) for number in text.split(",")]


def add_rounds(parser: argparse.ArgumentParser, default: int) -> None:
    """Adds --rounds."""
    text = f"number of rounds; results are medians over them (default {default})"
    parser.add_argument("--rounds", type=positive_int, default=default, help=text)


def add_loads(parser: argparse.ArgumentParser, callers: Sequence[int], seconds: float) -> None:
    """Adds --callers, --rate and --seconds."""
    default = ",".join(map(str, callers))
    add = parser.add_argument
    add("--callers", type=positive_ints, default=callers, metavar="N,...", help=f"callers (default {default})")
    text = "requests a second, instead of callers that wait for their answers"
    add("--rate", type=positive_float, metavar="RPS", help=text)
    add("--seconds", type=positive_float, default=seconds, help="duration of each measurement (default %(default)s)")


def add_output(parser: argparse.ArgumentParser, out: Path, *, has_page: bool = False) -> None:
    """Adds --json and --out."""
    page = "; the page is written next to it as .html" if has_page else ""
    parser.add_argument("--json", action="store_true", help="print the JSON document instead of the tables")
    parser.add_argument("--out", type=Path, default=out, help=f"file for the JSON document (default {out}){page}")


def add_folder(parser: argparse.ArgumentParser, default: Path = FOLDER) -> None:
    """Adds --folder."""
    text = f"folder for trained models, which later runs use again, and for logs (default {default})"
    parser.add_argument("--folder", type=Path, default=default, help=text)


def add_context(parser: argparse.ArgumentParser) -> None:
    """Adds --context; its value is a list of pairs."""
    text = "context value; repeatable"
    parser.add_argument("--context", action="append", default=[], type=_pair, metavar="NAME=VALUE", help=text)


def _pair(text: str) -> tuple[str, float | bool | str]:
    name, separator, value = text.partition("=")
    if not separator or not name:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    if value in ("true", "false"):
        return name, value == "true"
    try:
        return name, float(value)
    except ValueError:
        return name, value
