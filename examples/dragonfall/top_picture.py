"""Makes the picture of `mesh top` in docs/operating.md: the example with two callers, and a frozen replica."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
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
from examples.dragonfall.failure import ExampleFailed
from examples.dragonfall.mesh_process import DRAIN_LIMIT_S, START_LIMIT_S, mesh_up
from examples.dragonfall.simulation import draw_encounters, simulate_players
from mesh.cli.top.controls import Controls
from mesh.cli.top.scrapes import Scraper, scraping, source
from mesh.cli.top.screen import screen
from mesh.cli.top.view import view
from mesh.process import Launch, running
from mesh.tls.channel import PLAINTEXT, ClientSecurity
from mesh.tls.token import Token

PICTURE = Path(__file__).parents[2] / "docs/images/mesh-top.svg"
WIDTH, HEIGHT = 146, 47
OLD, NEW = "whales", "whales-2"  # the second version tries a new model instead of the old one
# Each caller: its token and its requests at a time. The shop sends more than its quota.
TOKENS, CALLERS = {"lobby": "l" * 32, "shop": "s" * 32}, {"lobby": 3, "shop": 1}
SHOP_QUOTA, SHOP_PAUSE_S = 5, 0.05
WARM_UP_S, FROZEN_S = 12.0, 6.0
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
    """The example with two callers, a second version that tries a new model, and absolute paths."""
    catalog: dict[str, Any] = yaml.safe_load(CATALOG.read_text())
    version = catalog["versions"].pop("2026-10")
    members = [{**model, "uri": str(CATALOG.parent / model["uri"])} for model in version.pop("models")]
    del version["reference"], catalog["kubernetes"]
    names = [model["name"] for model in members]
    catalog["members"] = [*members, {**members[names.index(OLD)], "name": NEW}]
    catalog["versions"] = {
        "2026-10": {**version, "models": [{"member": name} for name in names], "traffic": 80},
        "2026-11": {**version, "models": [{"member": NEW if name == OLD else name} for name in names], "traffic": 20},
    }
    callers = {caller: {"token_sha256": [hashlib.sha256(TOKENS[caller].encode()).hexdigest()]} for caller in TOKENS}
    catalog["callers"] = {**callers, "shop": {**callers["shop"], "requests_per_s": SHOP_QUOTA}}
    catalog["features"]["path"] = str(CATALOG.parent / catalog["features"]["path"])
    catalog["offers"]["path"] = str(CATALOG.parent / catalog["offers"]["path"])
    catalog["decisions"]["to"] = str(folder / "decisions")
    file = folder / "mesh.yaml"
    file.write_text(yaml.safe_dump(catalog))
    return file


async def _run(catalog: Path) -> None:
    async with running(Launch("the mesh", [*mesh_up(catalog), "--tls"]), DRAIN_LIMIT_S) as mesh:
        ready = await mesh.event("ready", START_LIMIT_S)
        scraper = Scraper(ready["metrics"], source(ready["metrics"], PLAINTEXT))
        ca = Path(ready["tls"]) / "ca.pem"
        load = [asyncio.create_task(_load(caller, ready["token_address"], ca)) for caller in TOKENS]
        try:
            with scraping([scraper]):
                await asyncio.sleep(WARM_UP_S)
                with _stopped(next(one["pid"] for one in ready["workers"] if one["model"] == NEW)):
                    await asyncio.sleep(FROZEN_S)
                    _draw(scraper)
        finally:
            for one in load:
                one.cancel()
            await asyncio.wait(load)


async def _load(caller: str, address: str, ca: Path) -> None:
    """Sends requests of `caller` until it is cancelled; waits a moment after a refusal."""
    players, rng = simulate_players(), np.random.default_rng(7)
    security = ClientSecurity(ca, server_name="supervisor.dragonfall.mesh", token=Token(caller, TOKENS[caller]))
    while True:
        rows = rng.choice(len(players.ids), 500)
        try:
            requests = logins(players, draw_encounters(rows, np.zeros_like(rows), rng))
            await ask(address, requests, CALLERS[caller], security)
        except ExampleFailed:
            await asyncio.sleep(SHOP_PAUSE_S)


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
