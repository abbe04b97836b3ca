"""`mesh top` in a terminal, with a real mesh under load."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
from functools import partial

import pytest

from tests.end_to_end.load import load_on
from tests.mesh.cli.top.pty_program import PtyProgram, pty_program
from tests.started_mesh import StartedMesh

TOP = (sys.executable, "-m", "mesh.cli.main", "top")
_FIRST = (b"s", b"S", b"\t", b"\x1b[Z", b"\x1b[A", b"\x1b[B", b"\x1b[C", b"\x1b[D", b"\x1b[5~", b"\x1b[6~", b"\x1b[H")
KEYS = (*_FIRST, b"\x1b[F", b"p", b"?", b"\x1b", b" ", b"x", b"\x00", b"\xff", b"\x1b[99;5~")
SIZES = ((40, 10), (200, 60), (80, 24), (3, 2), (120, 40))


def rate(lines: list[str]) -> float:
    return float(lines[0].partition(" answers/s")[0].split()[-1].replace(",", ""))


@pytest.mark.whole_machine
async def test_view_follows_a_mesh_under_load_through_keys_and_sizes(mesh: StartedMesh) -> None:
    async with load_on(mesh.address, 5.0) as load:
        await load.until(lambda _: True)
        await asyncio.to_thread(_through_keys_and_sizes, str(mesh.ready["metrics"]))
    assert load.failures == []


def _through_keys_and_sizes(metrics: str) -> None:
    with pty_program([*TOP, "--metrics", metrics], size=(200, 60)) as top:
        titles = ["versions", "time by stage, ms", "supervisors", "models, by problems"]
        lines = top.wait_for(lambda shown: [line for line in shown if line in titles] == titles)
        assert rate(lines) > 0
        _press_at_random(top, random.Random(7))
        top.resize(200, 60)
        top.press(b"\x1b[H")
        top.wait_for(lambda shown: len(shown) == 60 and "? help" in shown[-1])
        top.press(b"q")
        assert top.end() == (0, "")
        assert top.modes() == top.modes_before
        assert top.screen.unknown == []


def _press_at_random(top: PtyProgram, chance: random.Random) -> None:
    """Presses 200 keys, and changes the size ten times; the view takes each size."""
    for number in range(200):
        top.press(chance.choice(KEYS))
        if number % 20 == 0:
            columns, lines = SIZES[number // 20 % len(SIZES)]
            top.resize(columns, lines)
            top.wait_for(partial(_fits, columns, lines))


def _fits(columns: int, lines: int, shown: list[str]) -> bool:
    return len(shown) == lines and all(len(line) <= columns for line in shown)


@pytest.mark.whole_machine
async def test_view_is_printed_once_without_escapes(mesh: StartedMesh) -> None:
    async with load_on(mesh.address, 5.0) as load:
        await load.until(lambda _: True)
        command = [*TOP, "--metrics", mesh.ready["metrics"], "--once"]
        text, found = await asyncio.gather(
            asyncio.to_thread(subprocess.check_output, command, text=True, timeout=60),
            asyncio.to_thread(subprocess.check_output, [*command, "--json"], text=True, timeout=60),
        )
    assert "\x1b" not in text
    view = json.loads(found)
    assert {one["model"]["model"] for one in view["models"]} == {one["model"] for one in mesh.ready["workers"]}
    assert all(one["replicas"] == 1 for one in view["models"])
    assert set(view["versions"][0]["stages"]) == {"queue", "features", "fan_out", "combine"}
    assert view["supervisors"][0]["answers_per_s"] > 0
