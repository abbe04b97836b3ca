"""Text from outside, made safe for a log line or a terminal.

A name in a catalog, a message from another process or the id of a request may contain line breaks, which forge a log
line, and escape sequences, which control the terminal. The escapes are those of JSON, so that JSON stays JSON. This
module imports only the standard library: a model worker imports it before gRPC.
"""

from __future__ import annotations

import re

# Control characters, line and paragraph separators, marks and overrides of the direction of text, halves of surrogate
# pairs (which no encoding can write) and the byte order mark, which is invisible.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]")
_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}
# The name and the password in a URL, which end at the last @ before the path.
_PASSWORD = re.compile(r"(?<=://)[^/\s?#'\"]*@")


def one_line(text: str) -> str:
    """Returns `text` as one line of printable characters, without the passwords of URLs."""
    shown = without_passwords(text)
    return shown if shown.isprintable() else _UNSAFE.sub(_escape, shown)


def without_passwords(text: str) -> str:
    """Returns `text` with `***` in place of the passwords of URLs."""
    return _PASSWORD.sub("***@", text) if "://" in text else text


def lines(text: str) -> str:
    """Returns `text` with its newlines and tabs, and everything else as `one_line` has it."""
    return "\n".join("\t".join(map(one_line, line.split("\t"))) for line in text.split("\n"))


def _escape(found: re.Match[str]) -> str:
    return _SHORT.get(found.group()) or f"\\u{ord(found.group()):04x}"
