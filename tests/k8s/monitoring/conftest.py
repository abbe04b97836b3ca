"""One scrape of a real mesh for all that is said of its metrics, and promtool where it is installed."""

from __future__ import annotations

import shutil

import pytest

from tests.k8s.monitoring.scrapes import Scrapes, scraped


@pytest.fixture(scope="session")
def scrapes(tmp_path_factory: pytest.TempPathFactory) -> Scrapes:
    return scraped(tmp_path_factory.mktemp("watched"))


@pytest.fixture(scope="session")
def promtool() -> str:
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("promtool is not installed (Debian: apt-get install prometheus)")
    return program
