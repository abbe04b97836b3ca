"""`python -m loadtest.tls_start MODEL`: start time and memory of a worker, plaintext and with TLS, in turn."""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path

from mesh.process import Launch, running
from mesh.tls.throwaway import files_in, new_authority

ROUNDS = 10
START_S = 60.0
SETTLE_S = 1.0  # the certificate is read once more


async def measure(model: Path) -> None:
    """Starts workers of `model` in turn, and prints the medians."""
    with tempfile.TemporaryDirectory() as folder:
        files = files_in(Path(folder), "worker")
        new_authority().write(files, ["worker.demo.mesh"])
        paths = ("--tls-cert", files.cert, "--tls-key", files.key, "--tls-ca", files.ca)
        kinds = {"plaintext": [], "TLS": [*map(str, paths), "--tls-supervisor", "supervisor.demo.mesh"]}
        for options in kinds.values():  # fills the file cache, and keeps the proof of the model
            await _worker(model, options)
        found = {kind: [await _worker(model, options)] for kind, options in kinds.items()}
        for _ in range(ROUNDS - 1):
            for kind, options in kinds.items():
                found[kind].append(await _worker(model, options))
    for kind, samples in found.items():
        start, rss, private = (statistics.median(values) for values in zip(*samples, strict=True))
        print(f"{kind}: ready after {start * 1000:.0f} ms, {rss:.1f} MB resident, {private:.1f} MB of them private")


async def _worker(model: Path, options: list[str]) -> tuple[float, float, float]:
    """The time to the ready line in seconds, and the resident and the private memory in MB."""
    command = [sys.executable, "-m", "model_worker", "--name", "demo", "--uri", str(model), *options]
    began_s = time.monotonic()
    async with running(Launch("worker", command)) as worker:
        await worker.event("ready", START_S)
        took_s = time.monotonic() - began_s
        await asyncio.sleep(2 * SETTLE_S)
        rollup = await asyncio.to_thread(Path(f"/proc/{worker.pid}/smaps_rollup").read_text)
    sizes = {line.split()[0]: int(line.split()[1]) / 1000 for line in rollup.splitlines()[1:]}
    return took_s, sizes["Rss:"], sizes["Private_Clean:"] + sizes["Private_Dirty:"]


if __name__ == "__main__":
    asyncio.run(measure(Path(sys.argv[1])))
