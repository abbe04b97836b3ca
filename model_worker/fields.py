"""Reads the fields of a LightGBM text model strictly: text that LightGBM would misread is a fault."""

from __future__ import annotations

from collections.abc import Set
from math import isfinite

_DECIMAL = b"0123456789-+.e "  # Python's own parser accepts more than LightGBM's


class FaultError(Exception):
    """A fault in the text of a model, as a sentence."""


class UnservableError(FaultError):
    """The text is sound, but its scores would be wrong or useless; a sentence with the cause and the fix."""


def demand(holds: bool, otherwise: str, *arguments: object) -> None:
    """Raises `FaultError` with the sentence `otherwise`, formatted with `arguments`, unless `holds`."""
    if not holds:
        raise FaultError(otherwise.format(*map(_readable, arguments)))


def parse_integer(text: bytes) -> int:
    """Parses a whole number as LightGBM writes it; Python's `int` accepts more forms."""
    demand(len(text) < 20 and text.removeprefix(b"-").isdigit(), "'{}' is not a whole number", text)
    return int(text)


class Fields:
    """The lines `name=value` of one section. Each name occurs once. Every method raises `FaultError`."""

    def __init__(self, text: bytes) -> None:
        lines = text.split(b"\n")
        try:
            self._values = dict([line.split(b"=", 1) for line in lines])
        except ValueError:
            raise FaultError("a line is not a field") from None
        demand(len(self._values) == len(lines), "a field occurs twice")

    def __contains__(self, name: bytes) -> bool:
        return name in self._values

    def __len__(self) -> int:
        return len(self._values)

    def value(self, name: bytes) -> bytes:
        """Returns the text after the `=`."""
        demand(name in self._values, "{} is missing", name)
        return self._values[name]

    def check_count(self, name: bytes, count: int) -> None:
        """Requires `count` values, with one blank between them."""
        demand(self.value(name).count(b" ") + 1 == count, "{} does not have {} values", name, count)

    def values(self, name: bytes, count: int) -> list[bytes]:
        """Returns the values of a field, which must have `count` of them."""
        self.check_count(name, count)
        return self._values[name].split(b" ")

    def values_among(self, name: bytes, count: int, allowed: Set[bytes]) -> list[bytes]:
        """Returns the values of a field, which must have `count` of them, all in `allowed`."""
        values = self.values(name, count)
        if others := set(values) - allowed:
            raise FaultError(f"{name.decode()} has the value '{_readable(others.pop())}', which is out of range")
        return values

    def integer(self, name: bytes) -> int:
        """Returns the whole number that is the value of a field."""
        return parse_integer(self.value(name))

    def integers(self, name: bytes) -> list[int]:
        """Returns the whole numbers of a field, at least one."""
        return list(map(parse_integer, self.value(name).split(b" ")))

    def check_finite(self, name: bytes, count: int) -> None:
        """Requires `count` finite numbers."""
        self.check_count(name, count)
        _check_finite(name, self._values[name], count)

    def check_thresholds(self, name: bytes, count: int) -> None:
        """Requires `count` numbers. An infinite threshold is allowed: it separates missing values from all others."""
        self.check_count(name, count)
        text = b" " + self._values[name]
        _check_finite(name, text.replace(b" inf", b" 0").replace(b" -inf", b" 0")[1:], count)


def _check_finite(name: bytes, text: bytes, count: int) -> None:
    demand(not text.translate(None, _DECIMAL), "{} has a value that is not a number", name)
    if text.count(b"e") == text.count(b"e-") and len(text) < 30 * count:
        return  # without a positive exponent no number is large; parsing each would double the time of the whole check
    try:
        finite = all(map(isfinite, map(float, text.split(b" "))))
    except ValueError:
        finite = False
    demand(finite, "{} has a value that is not a finite number", name)


def _readable(argument: object) -> object:
    return argument[:20].decode(errors="replace") if isinstance(argument, bytes) else argument
