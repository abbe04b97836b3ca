"""The packages of the clients have everything that a backend needs."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

from tests.clients.languages import ROOT, built, program

WITHIN_S = 60


def test_python_package_works_without_the_repository(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "installed"
    shutil.copytree(ROOT / "clients/python", source, ignore=shutil.ignore_patterns("build", "*.egg-info"))
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "--target", str(target), str(source)], check=True, timeout=WITHIN_S)
    code = "import ensemble_mesh_client as client; print(client.__file__, client.OfferClient.__name__)"
    environment = {"PYTHONPATH": str(target)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [str(target / "ensemble_mesh_client/__init__.py"), "OfferClient"]
    assert (target / "ensemble_mesh_client/py.typed").exists()
    assert (target / "ensemble_mesh_client/wire/offers_pb2.pyi").exists()


def test_node_package_has_its_contract_and_its_types() -> None:
    built("node")
    command = [program("npm"), "pack", "--dry-run", "--json", "--offline"]
    done = subprocess.run(
        command, cwd=ROOT / "clients/node", capture_output=True, text=True, check=True, timeout=WITHIN_S
    )
    names = {file["path"] for file in json.loads(done.stdout)[0]["files"]}
    assert {"src/index.js", "src/index.d.ts", "src/offers.proto", "README.md", "package.json"} <= names
    assert not any(name.startswith("test/") for name in names)
