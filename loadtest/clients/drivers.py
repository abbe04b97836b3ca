"""The drivers of the clients: small programs that ask, one for each language."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from loadtest.clients.scenarios import Scenario
from mesh.block import Block
from mesh.process import Launch, run_to_end

ROOT = Path(__file__).parents[2]
FILE = ROOT / "clients" / "conformance" / "drivers.yaml"
BUILD_BUDGET_S = 600.0
# The environment of a program that imports the Python client, which is not installed.
PYTHON_CLIENT = {"PYTHONPATH": os.pathsep.join([str(ROOT / "clients/python"), str(ROOT)])}


class Driver(Block):
    """How a driver is built and started; `needs` are programs that the machine must have."""

    needs: list[str]
    build: list[str]
    run: list[str]

    @property
    def missing(self) -> list[str]:
        """The programs that this machine does not have."""
        return [name for name in self.needs if shutil.which(name) is None]


def read_drivers() -> dict[str, Driver]:
    """Returns the drivers by language."""
    return {name: Driver.model_validate(raw) for name, raw in yaml.safe_load(FILE.read_text()).items()}


async def build(language: str, driver: Driver, logs: Path) -> None:
    """Builds a driver; raises ProcessFailed if it fails."""
    if driver.build:
        command = Launch(f"build-{language}", driver.build, ROOT, logs / f"build-{language}.log")
        await run_to_end(command, BUILD_BUDGET_S)


def launch(
    language: str, driver: Driver, scenario: Scenario, targets: Sequence[str], game: Mapping[str, str], logs: Path
) -> Launch:
    """Returns how to start a driver for `scenario`; `game` has the name of the game and its fallback offer."""
    command = [sys.executable if word == "python" else word for word in driver.run]
    options = {
        "targets": ",".join(targets),
        **game,
        "rate": scenario.rate,
        "seconds": scenario.seconds,
        "deadline-ms": scenario.deadline_ms,
        "wrong-every": scenario.wrong_every,
    }
    words = [
        word
        for name, value in options.items()
        for word in (f"--{name}", f"{value:g}" if isinstance(value, float) else str(value))
    ]
    return Launch(f"driver-{language}", [*command, *words], ROOT, logs / f"driver-{language}.log", PYTHON_CLIENT)
