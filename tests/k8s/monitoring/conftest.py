"""One scrape of a real mesh for all that is said of its metrics, and promtool where it is installed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.k8s.monitoring.scrapes import Scrapes, scraped

# Where `make promtool` puts it.
_UNPACKED = Path(__file__).parents[3] / "build/debian/usr/bin"


@pytest.fixture(scope="session")
def scrapes(tmp_path_factory: pytest.TempPathFactory) -> Scrapes:
    return scraped(tmp_path_factory.mktemp("watched"))


@pytest.fixture(scope="session")
def promtool() -> str:
    program = shutil.which("promtool", path=os.pathsep.join((os.environ.get("PATH", os.defpath), str(_UNPACKED))))
    if program is None:
        pytest.skip("promtool is not installed: `make promtool` gets it where apt-get is")
    return program
