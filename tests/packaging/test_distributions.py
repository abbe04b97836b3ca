"""The wheel and the source distribution: every file of the packages, and the engine if there is a compiler."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.packaging.projects import ENGINE_SOURCES, NO_COMPILER, PACKAGES, copy_project, needs_compiler

ENGINE = f"model_worker/forest/_engine{sysconfig.get_config_var('EXT_SUFFIX')}"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return copy_project(tmp_path / "project")


def build(project: Path, kind: str, environ: dict[str, str] | None = None) -> Path:
    """Builds with setuptools directly; pip would hide the output. Returns the built file."""
    script = f"from setuptools import build_meta; build_meta.build_{kind}('built')"
    command = [sys.executable, "-c", script]
    subprocess.run(command, cwd=project, env={**os.environ, **(environ or {})}, check=True, capture_output=True)
    (built,) = (project / "built").iterdir()
    return built


def files(project: Path) -> set[str]:
    paths = (path for package in PACKAGES for path in (project / package).rglob("*") if path.is_file())
    return {str(path.relative_to(project)) for path in paths}


def in_wheel(wheel: Path) -> set[str]:
    return {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}


@needs_compiler
def test_wheel_holds_every_file_of_the_packages_and_a_loadable_engine(project: Path) -> None:
    expected = files(project) | {ENGINE}
    wheel = build(project, "wheel")
    assert in_wheel(wheel) == expected
    ctypes.CDLL(zipfile.ZipFile(wheel).extract(ENGINE, project / "unpacked"))


def test_wheel_without_a_compiler_lacks_only_the_engine(project: Path) -> None:
    expected = files(project)
    assert in_wheel(build(project, "wheel", NO_COMPILER)) == expected


def test_source_distribution_includes_the_engines_sources(project: Path) -> None:
    with tarfile.open(build(project, "sdist")) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert ENGINE_SOURCES
    assert names >= {*ENGINE_SOURCES, "pyproject.toml"}
