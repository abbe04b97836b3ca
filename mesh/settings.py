"""Reads the command line of a service and reports all faults together.

This module imports only the standard library: a model worker reads its settings before it imports gRPC.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

LOOPS = ("uvloop", "asyncio")
LOG_LEVELS = ("debug", "info", "warning", "error")
LOG_FORMATS = ("text", "json")

Check = Callable[[str], Any]


class WrongSettingsError(Exception):
    """The command line is invalid; `faults` has one sentence for each fault."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = list(faults)


class Parser(argparse.ArgumentParser):
    """A parser whose options are all text, because argparse stops at the first value that it cannot convert."""

    def error(self, message: str) -> NoReturn:
        """Raises WrongSettingsError instead of ending the process."""
        raise WrongSettingsError([message])


def read(parser: Parser, checks: Mapping[str, Check], arguments: Sequence[str]) -> dict[str, Any]:
    """Returns the value of each option by name, converted by its check in `checks`; None is not checked.

    Raises WrongSettingsError with every fault.
    """
    options, unknown = parser.parse_known_args(arguments)
    faults = [f"{argument}: unknown option; see --help" for argument in unknown]
    values = vars(options)
    for name, check in checks.items():
        if values[name] is None:
            continue
        try:
            values[name] = check(values[name])
        except ValueError as error:
            faults.append(f"--{name.replace('_', '-')}: {error}, not {values[name]!r}")
    if faults:
        raise WrongSettingsError(faults)
    return values


def whole(low: int, high: int) -> Check:
    """Returns the check of a whole number from `low` to `high`."""

    def check(text: str) -> int:
        if not re.fullmatch(r"-?[0-9]{1,9}", text) or not low <= int(text) <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return int(text)

    return check


def seconds(low: float, high: float) -> Check:
    """Returns the check of a number of seconds from `low` to `high`."""

    def check(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = -1.0
        if not low <= value <= high:
            raise ValueError(f"must be a number of seconds from {low:g} to {high:g}")
        return value

    return check


def one_of(*choices: str) -> Check:
    """Returns the check of a text that must be one of `choices`."""

    def check(text: str) -> str:
        if text not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}")
        return text

    return check


def dns_label(text: str) -> str:
    """Checks a DNS label, the syntax of names in Kubernetes."""
    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", text):
        raise ValueError("must be a DNS label: 1 to 63 lower-case letters, digits and inner hyphens")
    return text
