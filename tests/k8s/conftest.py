"""Renders that the rules are checked on: the committed one, and others if Helm is installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from mesh.cli.k8s import chart_output
from tests.k8s import catalogs, objects
from tests.k8s.objects import Objects


@pytest.fixture(scope="session")
def helm() -> str:
    """The path of Helm; skips the test if Helm is not installed."""
    program = chart_output.helm()
    if program is None:
        pytest.skip("helm is not installed; install Go and run `make k8s-tools`")
    return program


@pytest.fixture(scope="session", params=["committed", "everything", "many"])
def game(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Objects:
    """The objects of one game: the example, a catalog that sets every key, or one of four with 45 models each."""
    if request.param == "committed":
        return objects.committed()
    request.getfixturevalue("helm")
    folder = tmp_path_factory.mktemp("catalogs")
    file: Path = catalogs.everything(folder) if request.param == "everything" else catalogs.many(folder)[0]
    return objects.of(chart_output.render(file, file.stem))
