"""The code of the images, which needs no container engine to be laid out."""

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
    """What the script said about it."""
    command: list[str | Path] = [sys.executable, project / "k8s/images/install.py", "code", image, root]
    env = {**os.environ, "PYTHONHASHSEED": "0", **(environ or {})}  # as the Dockerfile has it
    return subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout


def content(root: Path) -> dict[str, tuple[str, float]]:
    """A sum and the time of every file."""
    return {
        str(path.relative_to(root)): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime)
        for path in root.rglob("*")
        if path.is_file()
    }


@needs_compiler
def test_the_workers_image_holds_an_engine_that_can_be_loaded_and_not_what_it_was_made_of(tmp_path: Path) -> None:
    project = copy_project(tmp_path / "project")
    assert lay_out(project, "model-worker", tmp_path / "root") == ""
    (engine,) = (tmp_path / "root").glob(SO_FILES)
    ctypes.CDLL(str(engine))
    names = {Path(source).name for source in ENGINE_SOURCES}
    assert [path for path in (tmp_path / "root").rglob("*") if path.name in names] == []


@pytest.mark.parametrize("image", ["model-worker", "supervisor"])
def test_an_image_holds_the_same_bytes_wherever_it_is_made(image: str, tmp_path: Path) -> None:
    first, second = copy_project(tmp_path / "one"), copy_project(tmp_path / "elsewhere" / "another")
    (second / "model_worker/forest/_engine.cpython-0.so").write_bytes(b"what a checkout has of its own")
    for project in (first, second):
        lay_out(project, image, project / "root")
    assert content(first / "root") == content(second / "root")


def test_an_image_without_an_engine_is_told_to_whoever_builds_it(tmp_path: Path) -> None:
    project = copy_project(tmp_path / "project")
    told = lay_out(project, "model-worker", tmp_path / "root", NO_COMPILER)
    assert told == (
        "there is no C compiler (no-such-compiler), and no scoring engine: the workers will serve on LightGBM\n"
    )
    assert list((tmp_path / "root").glob(SO_FILES)) == []
