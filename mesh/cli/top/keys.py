"""Names the keys in the bytes that a terminal sends (ECMA-48 sequences, as xterm and the Linux console send them)."""

from __future__ import annotations

import re

# CSI with parameters, SS3 with one character, an escape alone, or one character.
_KEY = re.compile(rb"\x1b\[[0-?]*[ -/]*[@-~]|\x1bO.|\x1b|[\x00-\x7f]|[\x80-\xff]+", re.DOTALL)
_NAMES = {
    b"\t": "tab",
    b"\x1b": "escape",
    b"\x1b[Z": "back tab",
    **{b"\x1b" + lead + final: name for lead in (b"[", b"O") for final, name in (
        (b"A", "up"), (b"B", "down"), (b"C", "right"), (b"D", "left"), (b"H", "home"), (b"F", "end"),
    )},
    b"\x1b[1~": "home",
    b"\x1b[4~": "end",
    b"\x1b[5~": "page up",
    b"\x1b[6~": "page down",
    b"\x1b[7~": "home",
    b"\x1b[8~": "end",
}  # fmt: skip


def keys(data: bytes) -> list[str]:
    """Returns the keys in `data`: a name such as `up`, or the character. Sequences without a name are left out."""
    found = (match.group() for match in _KEY.finditer(data))
    return [name for one in found if (name := _NAMES.get(one, one.decode("ascii", "ignore"))) and _is_key(name)]


def _is_key(name: str) -> bool:
    return len(name) == 1 or name in _NAMES.values()
