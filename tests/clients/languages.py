"""The clients of all languages in tests: which are built here, and how their drivers are run."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from loadtest.clients.drivers import Driver, read_drivers

ROOT = Path(__file__).parents[2]
BUILT = {
    "python": ROOT / "clients/python",
    "go": ROOT / "build/clients/go/driver",
    "node": ROOT / "clients/node/node_modules/@grpc/grpc-js",
    "java": ROOT / "build/clients/java/dependency",
}


def built(language: str) -> Driver:
    """Returns the driver of a language; skips the test if its tools are missing or `make clients` has not built it."""
    driver = read_drivers()[language]
    if driver.missing:
        pytest.skip(f"{' and '.join(driver.missing)} not installed: the {language} client is not tested")
    if not BUILT[language].exists():
        pytest.skip(f"the {language} client is not built; run `make clients`")
    return driver


def program(name: str) -> str:
    """Returns the path of a program; skips the test if it is not installed."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path
