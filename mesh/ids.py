"""The rule for ids: of players, offers and requests, and for the names of context features.

Every place that accepts an id applies this rule, so that each player who can be loaded can also be asked for.
"""

from __future__ import annotations

import re

MAX_ID_BYTES = 128

# Control characters, line and paragraph separators, characters that turn the direction of the text around them, and
# halves of surrogate pairs. Spaces of any width and the joiners of Persian names and emoji are allowed. The ranges are
# in the syntax of RE2, so that pyarrow can apply the same rule to a column.
NOT_ALLOWED = r"[\x00-\x1f\x7f-\x{9f}\x{2028}-\x{202e}\x{2066}-\x{2069}]"
_NOT_ALLOWED = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def id_problem(value: str) -> str | None:
    """Returns the problem of a non-empty id, such as `has the control character U+0009 ...`; None if it is valid."""
    if len(value) * 4 > MAX_ID_BYTES and len(value.encode(errors="surrogatepass")) > MAX_ID_BYTES:
        return f"has {len(value.encode(errors='surrogatepass'))} bytes; use at most {MAX_ID_BYTES} bytes"
    if value.isprintable():  # the fast path; it also refuses characters that this rule allows
        return None
    found = _NOT_ALLOWED.search(value)
    if found is None:
        return None
    return f"has the character U+{ord(found.group()):04X}, which cannot be printed; remove it"
