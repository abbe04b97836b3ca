"""The commands of docs/security.md work: those with openssl against real services, the objects by their schemas."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from tests.forests import train
from tests.free_port import free_port
from tests.tools import ROOT, tool

pytestmark = pytest.mark.whole_machine

PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
ONE_MACHINE = PAGE.partition("## One machine with openssl")[2].partition("## A cluster with cert-manager")[0]
CLUSTER = PAGE.partition("## A cluster with cert-manager")[2].partition("## Callers")[0]
BLOCK = re.compile(r"^```(sh|yaml)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PORTS = ("7000", "7001", "9001", "9100", "9101")
REFUSED = re.compile(r"(?P<command>.*?) +# refused: (?P<words>.+)")
DONE = "-- done --"
CRDS = ROOT / "build" / "cert-manager" / "crds.yaml"
SESSION_S = 100


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The game of the page with a model and players, and the programs `mesh` and `python` of this environment."""
    (tmp_path / "models").mkdir()
    shutil.copy(train("binary", tmp_path).path, tmp_path / "models" / "whales.txt")
    (tmp_path / "players.csv").write_text(
        f"player_id,{','.join(f'Column_{place}' for place in range(6))}\np1,{','.join(map(str, np.arange(6)))}\n"
    )
    (tmp_path / "offers.csv").write_text("offer_id,price\nsmall,1.99\nlarge,19.99\n")
    (catalog,) = (text for kind, text in BLOCK.findall(ONE_MACHINE) if kind == "yaml")
    patient = catalog.replace("game: arena\n", "game: arena\nbudget_ms: 5000\n")  # the machine of the tests is busy
    (tmp_path / "mesh.yaml").write_text(patient.replace("players.sqlite}", "players.sqlite, timeout_ms: 1000}"))
    for name, command in {"mesh": "-m mesh.cli.main ", "python": ""}.items():
        (tmp_path / name).write_text(f'#!/bin/sh\nexec {sys.executable} {command}"$@"\n')
        (tmp_path / name).chmod(0o755)
    return tmp_path


class Shell:
    """A bash session that stops at the first command that fails."""

    def __init__(self, folder: Path) -> None:
        environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
        self._process = subprocess.Popen(
            ["bash", "-eu"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=folder,
            env=environment,
            start_new_session=True,
        )

    def run(self, block: str) -> str:
        """Runs the lines of a block; returns their output."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{block}\necho '{DONE}'\n")
        self._process.stdin.flush()
        output = ""
        for line in self._process.stdout:
            if line.strip() == DONE:
                return output
            output += line
        raise AssertionError(f"the block failed:\n{block}\n{output}")

    def end(self) -> None:
        """Ends the session with the services that it has started."""
        with self._process:  # closes its pipes
            os.killpg(self._process.pid, signal.SIGTERM)
            try:
                self._process.wait(20)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self._process.pid, signal.SIGKILL)


@pytest.fixture
def shell(folder: Path) -> Iterator[Shell]:
    for program in ("bash", "openssl", "curl"):
        tool(program, f"run `apt-get install {program}`")
    session = Shell(folder)
    try:
        yield session
    finally:
        session.end()


def as_script(block: str, ports: dict[str, str]) -> str:
    """A block with free ports, in which a command that should be refused fails if it is not."""
    lines = []
    for line in block.splitlines():
        for port, free in ports.items():
            line = re.sub(rf"(?<=[ :]){port}\b", free, line)
        if refused := REFUSED.fullmatch(line):
            fails = f"if {refused['command']} > refusal 2>&1; then echo NOT REFUSED; false; fi"
            line = f"{fails}; cat refusal; grep -qF '{refused['words']}' refusal"
        lines.append(line)
    return "\n".join(lines)


@pytest.mark.timeout(300)
def test_commands_with_openssl(folder: Path, shell: Shell) -> None:
    ports = {port: str(free_port()) for port in PORTS}
    outputs = []
    for kind, block in BLOCK.findall(ONE_MACHINE):
        if kind == "yaml":
            continue
        try:
            outputs.append(shell.run(as_script(block, ports)))
        except AssertionError as failure:
            logs = "\n".join(log.read_text() for log in folder.glob("*.log"))
            raise AssertionError(f"{failure}\n{logs}") from None
        if "sha256sum" in block:
            digest = outputs[-1].split()[0]
            catalog = folder / "mesh.yaml"
            catalog.write_text(catalog.read_text().replace("DIGEST", digest))
    answers = [output for output in outputs if "ENSEMBLE" in output]
    assert len(answers) == 2, "the certificate and the token, and again after the renewal"
    token = (folder / "tls/reports.token").read_text()
    for log in ("supervisor.log", "worker.log"):
        text = (folder / log).read_text()
        assert token not in text
        assert "Traceback" not in text
    assert not [path for path in (folder / "tls").glob("*.key") if path.stat().st_mode & 0o077]


def test_page_names_alerts_and_metrics_that_exist() -> None:
    alerts = (ROOT / "k8s/chart/files/alerts.yaml").read_text()
    metrics = (ROOT / "docs/metrics.md").read_text()
    assert [name for name in set(re.findall(r"`(Mesh[A-Z]\w+)`", PAGE)) if f"alert: {name}\n" not in alerts] == []
    assert [name for name in set(re.findall(r"`(mesh_\w+)`", PAGE)) if f"`{name}`" not in metrics] == []


def render(folder: Path) -> list[dict[str, Any]]:
    """The objects of the chart for the catalog and the values of the page."""
    helm = tool("helm", "run `make k8s-tools`")
    (game,) = (text for kind, text in BLOCK.findall(ONE_MACHINE) if kind == "yaml")
    catalog = yaml.safe_load(game)
    catalog["features"] = {"store": "dynamodb", "table": "players", "region": "eu-west-1"}
    catalog["offers"] = {"table": "offer_id\nsmall\n", "fallback": "small"}
    catalog["versions"]["1"]["models"][0]["uri"] = "s3://models/whales.txt"
    catalog["image"], catalog["supervisor"] = "r.example/worker:1", {"image": "r.example/supervisor:1"}
    del catalog["callers"]
    (folder / "mesh.yaml").write_text(yaml.safe_dump(catalog))
    (values,) = (text for kind, text in BLOCK.findall(CLUSTER) if kind == "yaml" and "kubernetes:" in text)
    (folder / "security.yaml").write_text(values)
    command = [helm, "template", "arena", str(ROOT / "k8s/chart"), "--namespace", "arena", "--kube-version", "1.33.0"]
    command += ["--values", "mesh.yaml", "--values", "security.yaml"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [one for one in yaml.safe_load_all(done.stdout) if one]


def test_values_of_the_cluster_render(tmp_path: Path) -> None:
    objects = render(tmp_path)
    certificates = {one["metadata"]["name"]: one["spec"] for one in objects if one["kind"] == "Certificate"}
    assert set(certificates) == {"arena-supervisor", "arena-worker"}
    assert "worker.arena.mesh" in certificates["arena-worker"]["dnsNames"]
    assert certificates["arena-worker"]["issuerRef"]["name"] == "mesh-ca"
    policies = [one["spec"] for one in objects if one["kind"] == "NetworkPolicy"]
    assert any("app" in str(policy) and "lobby" in str(policy) for policy in policies)


def test_objects_of_the_cluster_match_the_schemas_of_cert_manager(tmp_path: Path) -> None:
    crds = Path(os.environ.get("MESH_TEST_CERTIFICATE_CRD", CRDS))
    if not crds.exists():
        pytest.skip("the CRDs of cert-manager are not installed; run `make k8s-tools`")
    schemas = {
        one["spec"]["names"]["kind"]: one["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        for one in yaml.safe_load_all(crds.read_text())
        if one and one["kind"] == "CustomResourceDefinition"
    }
    (issuers,) = (text for kind, text in BLOCK.findall(CLUSTER) if kind == "yaml" and "kind: Certificate" in text)
    objects = [*yaml.safe_load_all(issuers), *(one for one in render(tmp_path) if one["kind"] == "Certificate")]
    checked = [one for one in objects if one["kind"] in schemas]
    assert checked
    for one in checked:
        assert not list(unknown_or_wrong(schemas[one["kind"]], one, one["kind"]))


def unknown_or_wrong(schema: dict[str, Any], value: Any, at: str) -> Iterator[str]:
    """The fields of an object that its schema does not have, and values of another type."""
    kinds = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int}
    if "type" in schema and not isinstance(value, kinds[schema["type"]]):
        yield f"{at}: {value!r} is not a {schema['type']}"
    elif isinstance(value, dict) and "properties" in schema:
        for name, inner in value.items():
            if name in schema["properties"]:
                yield from unknown_or_wrong(schema["properties"][name], inner, f"{at}.{name}")
            else:
                yield f"{at}.{name}: is unknown"
        yield from (f"{at}.{name}: is missing" for name in schema.get("required", ()) if name not in value)
    elif isinstance(value, list) and "items" in schema:
        for position, inner in enumerate(value):
            yield from unknown_or_wrong(schema["items"], inner, f"{at}[{position}]")
