"""Renders to hold rules against: the committed one always, others where Helm is installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from k8s import render
from tests.k8s import catalogs, objects
from tests.k8s.objects import Objects


@pytest.fixture(scope="session")
def helm() -> str:
    """The Helm to render with; skips where there is none."""
    program = render.helm()
    if program is None:
        pytest.skip("helm is not installed: `make k8s-tools` installs it where Go is")
    return program


@pytest.fixture(scope="session", params=["committed", "everything", "many"])
def game(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Objects:
    """The objects of one game: the example's, of a catalog that says everything, and of the first of 4 x 45 models."""
    if request.param == "committed":
        return objects.committed()
    request.getfixturevalue("helm")
    folder = tmp_path_factory.mktemp("catalogs")
    file: Path = catalogs.everything(folder) if request.param == "everything" else catalogs.many(folder)[0]
    return objects.of(render.render(file, file.stem))
