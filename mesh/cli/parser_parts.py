"""Parts of the command line of `mesh`: how commands are added, and the types of their options."""

from __future__ import annotations

import argparse
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]


def group(commands: Commands, name: str, about: str) -> Commands:
    """Adds a command with commands of its own."""
    added = commands.add_parser(name, help=about, description=_sentence(about))
    return added.add_subparsers(title="commands", metavar="COMMAND", required=True)


def command(commands: Commands, name: str, function: str, about: str) -> argparse.ArgumentParser:
    """Adds a command; `function` is the `module:function` that runs it."""
    added = commands.add_parser(name, help=about, description=_sentence(about))
    added.set_defaults(command=function)
    return added


def add_json(command: argparse.ArgumentParser, what: str) -> None:
    """Adds the option --json, which prints `what`."""
    command.add_argument("--json", action="store_true", help=f"print {what}")


def add_quick(command: argparse.ArgumentParser) -> None:
    """Adds the option --quick, which omits the proofs of the models."""
    about = "read only the headers of the models: faster, but a worker can refuse a model that this accepts"
    command.add_argument("--quick", action="store_true", help=about)


def _sentence(about: str) -> str:
    return about[0].upper() + about[1:] + "."


def positive(text: str) -> int:
    """The type of a whole number of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def whole(text: str) -> int:
    """The type of a whole number of at least 0."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 0")
    return int(text)


def share(text: str) -> tuple[str, float]:
    """The type of a version and its percent of the players."""
    version, _, percent = text.rpartition("=")
    value = _number(percent.removesuffix("%"))
    if not version or not 0 <= value <= 100:
        shape = "VERSION=PERCENT with a percent from 0 to 100, such as 2026-11=5"
        raise argparse.ArgumentTypeError(f"{text!r} is not {shape}")
    return version, value


def percent(text: str) -> float:
    """The type of a percentage above 0, up to 100."""
    value = _number(text.removesuffix("%"))
    if not 0 < value <= 100:
        raise argparse.ArgumentTypeError(f"{text!r} is not a percentage above 0, up to 100")
    return value


def port(text: str) -> int:
    """The type of a port number; 0 lets the system choose."""
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port number from 0 to 65535")
    return int(text)


def tolerance(text: str) -> float:
    """The type of a number of at least 0."""
    value = _number(text)
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of at least 0")
    return value


def seconds(text: str) -> float:
    """The type of a time of up to a day, in seconds."""
    value = _number(text)
    if not 0 < value <= 86_400:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return value


def milliseconds(text: str) -> float:
    """The type of a time of up to an hour, in milliseconds."""
    value = _number(text)
    if not 0 < value <= 3_600_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of milliseconds above 0")
    return value


def hours(text: str) -> float:
    """The type of a time of up to a year, in hours."""
    value = _number(text)
    if not 0 < value <= 8_784:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of hours above 0")
    return value


def _number(text: str) -> float:
    """Returns the number in `text`, or NaN, which is in no range."""
    try:
        return float(text)
    except ValueError:
        return math.nan
