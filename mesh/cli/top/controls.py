"""What the keys of `mesh top` select, as a value: the sort, the version, the scrolled lines, pause and help."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mesh.cli.top.options import SORTS

Chosen = tuple[str, str] | None
_PAGE_LINES = 10
_SCROLLS = {"up": -1, "down": 1, "page up": -_PAGE_LINES, "page down": _PAGE_LINES, " ": _PAGE_LINES}
_FORWARD, _BACK = ("tab", "right"), ("back tab", "left")
HELP = (
    "q          quit",
    "s, S       next, previous order of the models",
    "tab, left, right",
    "           one version of a game, or all",
    "up, down, page up, page down, home, end",
    "           scroll",
    "p          pause, and go on",
    "?          this help",
)
MARKS_HELP = (
    "!  a problem      *  a warning      ~  a text that is cut",
    "Columns without room are left out; the last line names them.",
)


@dataclass(frozen=True, slots=True)
class Controls:
    """The state of the keys. `version` is the game and the version that are shown; None: all."""

    sort: str = SORTS[0]
    version: Chosen = None
    offset: int = 0
    is_paused: bool = False
    is_help: bool = False
    is_ended: bool = False


def pressed(controls: Controls, key: str, versions: list[tuple[str, str]], last_offset: int) -> Controls:
    """Returns the controls after a key. A key without a meaning changes nothing.

    `versions` can be selected; `last_offset` is that of the last lines.
    """
    if key in _SCROLLS or key in ("home", "end"):
        to = {"home": 0, "end": last_offset}.get(key, controls.offset + _SCROLLS.get(key, 0))
        return replace(controls, offset=max(0, min(last_offset, to)))
    if key in _FORWARD or key in _BACK:
        choices: list[Chosen] = [None, *versions]
        at = choices.index(controls.version) if controls.version in choices else 0
        return replace(controls, version=choices[(at + (1 if key in _FORWARD else -1)) % len(choices)], offset=0)
    match key:
        case "s" | "S":
            at = SORTS.index(controls.sort) + (1 if key == "s" else -1)
            return replace(controls, sort=SORTS[at % len(SORTS)])
        case "p":
            return replace(controls, is_paused=not controls.is_paused)
        case "?" | "h":
            return replace(controls, is_help=not controls.is_help, offset=0)
        case "escape":
            return replace(controls, is_help=False)
        case "q" | "Q":
            return replace(controls, is_ended=True)
    return controls
