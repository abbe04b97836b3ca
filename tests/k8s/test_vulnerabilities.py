"""The check for known vulnerabilities never passes because nobody answered."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
# Stands in for pip-audit: a database that knows VULNERABLE, or a mirror of an index without one (MODE=mirror).
FAKE = """
import json, os, sys
lock = open(sys.argv[sys.argv.index("--requirement") + 1]).read().split()
mode, service = os.environ["MODE"], sys.argv[sys.argv.index("--vulnerability-service") + 1]
if mode == "down" or (mode == "only osv" and service == "pypi"):
    sys.exit("ConnectionError")
def entry(name, version):
    if mode == "mirror" or (mode == "gaps" and name == "unknown"):
        return {"name": name, "skip_reason": "not found"}
    bad = [{"id": "PYSEC-1", "aliases": ["CVE-1"], "fix_versions": ["9"]}] if (name, version) in VULNERABLE else []
    return {"name": name, "version": version, "vulns": bad}
VULNERABLE = {("idna", "3.6"), ("old", "1")}
print(json.dumps({"dependencies": [entry(*one.split("==")) for one in lock]}))
"""


def check(folder: Path, mode: str, *packages: str) -> tuple[int, str]:
    (folder / "pip_audit").mkdir()
    (folder / "pip_audit/__main__.py").write_text(FAKE)
    (folder / "lock.txt").write_text("\n".join(packages))
    command: list[str | Path] = [sys.executable, "-m", "k8s.images.vulnerabilities", folder / "lock.txt"]
    environment = {**os.environ, "MODE": mode, "PYTHONPATH": f"{folder}:{PROJECT}"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    return done.returncode, done.stdout


@pytest.mark.parametrize("mode", ["database", "only osv"])
def test_no_known_vulnerability(mode: str, tmp_path: Path) -> None:
    code, output = check(tmp_path, mode, "new==1", "newer==2")
    assert code == 0
    assert "2 packages, 0 known vulnerabilities" in output


def test_known_vulnerability_fails_with_the_fix(tmp_path: Path) -> None:
    code, output = check(tmp_path, "database", "new==1", "old==1")
    assert code == 1
    assert "old 1: PYSEC-1 CVE-1; use 9" in output


@pytest.mark.parametrize("mode", ["mirror", "down"])
def test_no_database_is_not_a_pass(mode: str, tmp_path: Path) -> None:
    code, output = check(tmp_path, mode, "old==1")
    assert code == 3
    assert output.startswith("vulnerabilities: NOT CHECKED: no database can be reached")


def test_package_without_an_answer_is_not_a_pass(tmp_path: Path) -> None:
    code, output = check(tmp_path, "gaps", "new==1", "unknown==1")
    assert code == 3
    assert "NOT CHECKED: pypi did not answer for unknown" in output
