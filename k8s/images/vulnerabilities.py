"""`make vulnerabilities`: compares the locked packages of the images with a database of known vulnerabilities.

    build/audit/bin/python -m k8s.images.vulnerabilities LOCK ...

pip-audit asks the database. It counts a package that the database does not know as one without vulnerabilities; a
mirror of a package index, which has no such database, would then pass everything. So this program first asks for a
package with a known vulnerability. Exit codes: 0 none found, 1 found, 3 no database can be reached, so that nothing was
checked.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOUND, NO_DATABASE = 1, 3
SERVICES = ("pypi", "osv")
CONTROL = "idna==3.6"  # CVE-2024-3651
_ONE_ANSWER_S, _AUDIT_S = 15, 300


@dataclass(frozen=True, slots=True)
class Vulnerable:
    """A package with a known vulnerability, and the versions that fix it."""

    package: str
    vulnerability: str
    fixed_in: str

    def __str__(self) -> str:
        fix = f"use {self.fixed_in}" if self.fixed_in else "no version fixes it yet"
        return f"{self.package}: {self.vulnerability}; {fix}"


def main(locks: Sequence[str]) -> int:
    """Checks the lock files; prints what it finds."""
    service = next((one for one in SERVICES if _knows_control(one)), None)
    if service is None:
        print(f"vulnerabilities: NOT CHECKED: no database can be reached from here ({' or '.join(SERVICES)})")
        return NO_DATABASE
    failed = False
    for lock in locks:
        answer = audit(service, Path(lock))
        skipped = [] if answer is None else [one["name"] for one in answer if "skip_reason" in one]
        if answer is None or skipped:
            print(f"{lock}: NOT CHECKED: {service} did not answer for {', '.join(skipped) or 'all packages'}")
            return NO_DATABASE
        found = list(vulnerable(answer))
        print(f"{lock}: {len(answer)} packages, {len(found)} known vulnerabilities ({service})", *found, sep="\n  ")
        failed = failed or bool(found)
    return FOUND if failed else 0


def audit(service: str, lock: Path) -> list[dict[str, Any]] | None:
    """Returns what pip-audit says of each package of a lock file; None if it fails."""
    command = [sys.executable, "-m", "pip_audit", "--vulnerability-service", service, "--format", "json"]
    command += ["--disable-pip", "--no-deps", "--progress-spinner", "off", "--timeout", str(_ONE_ANSWER_S)]
    try:
        done = subprocess.run([*command, "--requirement", lock], capture_output=True, timeout=_AUDIT_S, check=False)
        found: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, ValueError, KeyError):
        return None
    return found


def vulnerable(answer: Sequence[dict[str, Any]]) -> Iterator[Vulnerable]:
    """Yields each vulnerability of an answer of `audit`."""
    for package in answer:
        for one in package.get("vulns", ()):
            name = f"{package['name']} {package['version']}"
            yield Vulnerable(name, " ".join([one["id"], *one.get("aliases", ())]), ", ".join(one["fix_versions"]))


def _knows_control(service: str) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        lock = Path(folder, "control.txt")
        lock.write_text(f"{CONTROL}\n", encoding="utf-8")
        return any(vulnerable(audit(service, lock) or ()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
