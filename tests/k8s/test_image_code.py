"""The code layer of the images, laid out without a container engine."""

from __future__ import annotations

import ctypes
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.packaging.projects import ENGINE_SOURCES, NO_COMPILER, copy_project, needs_compiler

SO_FILES = "**/model_worker/forest/_engine*"


def lay_out(project: Path, image: str, root: Path, environ: dict[str, str] | None = None) -> str:
    """Runs install.py for the code of `image`; returns its output."""
    command: list[str | Path] = [sys.executable, project / "k8s/images/install.py", "code", image, root]
    env = {**os.environ, "PYTHONHASHSEED": "0", **(environ or {})}  # as in the Dockerfile
    return subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout


def content(root: Path) -> dict[str, tuple[str, float]]:
    """Digest and modification time of every file by its relative path."""
    return {
        str(path.relative_to(root)): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime)
        for path in root.rglob("*")
        if path.is_file()
    }


@needs_compiler
def test_workers_image_holds_a_loadable_engine_without_its_sources(tmp_path: Path) -> None:
    project = copy_project(tmp_path / "project")
    assert lay_out(project, "model-worker", tmp_path / "root") == ""
    (engine,) = (tmp_path / "root").glob(SO_FILES)
    ctypes.CDLL(str(engine))
    names = {Path(source).name for source in ENGINE_SOURCES}
    assert [path for path in (tmp_path / "root").rglob("*") if path.name in names] == []


@pytest.mark.parametrize("image", ["model-worker", "supervisor"])
def test_image_holds_the_same_bytes_wherever_it_is_built(image: str, tmp_path: Path) -> None:
    first, second = copy_project(tmp_path / "one"), copy_project(tmp_path / "elsewhere" / "another")
    (second / "model_worker/forest/_engine.cpython-0.so").write_bytes(b"build output of a checkout")
    for project in (first, second):
        lay_out(project, image, project / "root")
    assert content(first / "root") == content(second / "root")


def test_build_without_a_compiler_prints_that_there_is_no_engine(tmp_path: Path) -> None:
    project = copy_project(tmp_path / "project")
    output = lay_out(project, "model-worker", tmp_path / "root", NO_COMPILER)
    assert output == (
        "no C compiler (no-such-compiler), so the scoring engine is not built: the workers will use LightGBM\n"
    )
    assert list((tmp_path / "root").glob(SO_FILES)) == []
