"""Makes the picture of `mesh top` in docs/operating.md: the example under load, with one replica that stands still."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import re
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import yaml
from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

from examples.dragonfall.backend import ask, logins
from examples.dragonfall.build import CATALOG, build
from examples.dragonfall.mesh_process import DRAIN_LIMIT_S, START_LIMIT_S, mesh_up
from examples.dragonfall.simulation import draw_encounters, simulate_players
from mesh.cli.top.controls import Controls
from mesh.cli.top.scrapes import Scraper, scraping, source
from mesh.cli.top.screen import screen
from mesh.cli.top.view import view
from mesh.process import Launch, running
from mesh.tls.channel import PLAINTEXT

PICTURE = Path(__file__).parents[2] / "docs/images/mesh-top.svg"
WIDTH, HEIGHT = 132, 40
CALLERS = 6
FROZEN = "whales"
WARM_UP_S, FROZEN_S = 6.0, 4.0
# A picture in a repository must not load a font from elsewhere.
_FORMAT = re.sub(r"@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)


def main() -> int:
    """Writes the picture."""
    build(Console(stderr=True))
    with TemporaryDirectory() as folder:
        asyncio.run(_run(_catalog(Path(folder))))
    print(PICTURE)
    return 0


def _catalog(folder: Path) -> Path:
    """The example with a second version that shares its models, and with absolute paths."""
    catalog: dict[str, Any] = yaml.safe_load(CATALOG.read_text())
    version = catalog["versions"].pop("2026-10")
    members = [{**model, "uri": str(CATALOG.parent / model["uri"])} for model in version.pop("models")]
    del version["reference"], catalog["kubernetes"]
    shared = {**version, "models": [{"member": model["name"]} for model in members]}
    catalog["members"] = members
    catalog["versions"] = {"2026-10": {**shared, "traffic": 80}, "2026-11": {**shared, "traffic": 20}}
    catalog["features"]["path"] = str(CATALOG.parent / catalog["features"]["path"])
    catalog["offers"]["path"] = str(CATALOG.parent / catalog["offers"]["path"])
    catalog["decisions"]["to"] = str(folder / "decisions")
    file = folder / "mesh.yaml"
    file.write_text(yaml.safe_dump(catalog))
    return file


async def _run(catalog: Path) -> None:
    async with running(Launch("the mesh", mesh_up(catalog)), DRAIN_LIMIT_S) as mesh:
        ready = await mesh.event("ready", START_LIMIT_S)
        scraper = Scraper(ready["metrics"], source(ready["metrics"], PLAINTEXT))
        load = asyncio.create_task(_load(ready["address"]))
        try:
            with scraping([scraper]):
                await asyncio.sleep(WARM_UP_S)
                with _stopped(next(one["pid"] for one in ready["workers"] if one["model"] == FROZEN)):
                    await asyncio.sleep(FROZEN_S)
                    _draw(scraper)
        finally:
            load.cancel()
            await asyncio.wait([load])


async def _load(address: str) -> None:
    players, rng = simulate_players(), np.random.default_rng(7)
    while True:
        rows = rng.choice(len(players.ids), 500)
        await ask(address, logins(players, draw_encounters(rows, np.zeros_like(rows), rng)), CALLERS)


@contextlib.contextmanager
def _stopped(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def _draw(scraper: Scraper) -> None:
    shown = screen(view([scraper.latest()], time.time()), Controls(), WIDTH, HEIGHT, time.strftime("%H:%M:%S"))
    console = Console(
        record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor", highlight=False
    )
    console.print(Text("\n").join(shown.lines), soft_wrap=True)
    PICTURE.write_text(console.export_svg(title="mesh top", code_format=_FORMAT, unique_id="mesh-top"))


if __name__ == "__main__":
    sys.exit(main())
