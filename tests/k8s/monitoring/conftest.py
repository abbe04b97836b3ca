"""Shared fixtures: one scrape of a real mesh, and promtool if it is installed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.k8s.monitoring.scrapes import Scrapes, scraped

# The place where `make promtool` puts it.
_UNPACKED = Path(__file__).parents[3] / "build/debian/usr/bin"


@pytest.fixture(scope="session")
def scrapes(tmp_path_factory: pytest.TempPathFactory) -> Scrapes:
    return scraped(tmp_path_factory.mktemp("watched"))


@pytest.fixture(scope="session")
def promtool() -> str:
    program = shutil.which("promtool", path=os.pathsep.join((os.environ.get("PATH", os.defpath), str(_UNPACKED))))
    if program is None:
        pytest.skip("promtool is not installed; run `make promtool`, which needs apt-get")
    return program
