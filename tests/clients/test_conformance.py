"""The client of each language in shorter scenarios of the suite, and against a real supervisor with TLS and tokens."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console

from loadtest.clients.scenarios import read_scenarios
from loadtest.clients.trial import missed, try_client
from loadtest.measurement.plan import Findings, Plan
from tests.certificates import Certificates, options_of
from tests.clients.languages import BUILT, ROOT, built
from tests.supervisor.backend import write_game
from tests.supervisor.processes import Running, supervisor

pytestmark = [pytest.mark.whole_machine, pytest.mark.parametrize("language", BUILT)]

SCENARIOS = ("end-streams", "lose-streams", "refuse", "internal")
SERVER_NAME = "supervisor.g.mesh"
TOKEN = "token-of-the-lobby"
WITHIN_S = 60
SOON = ("--deadline-ms", "300")  # for questions that get no answer
NOT_CONNECTED = "no supervisor is connected"


@pytest.mark.parametrize("name", SCENARIOS)
async def test_client_conforms(language: str, name: str, tmp_path: Path) -> None:
    driver, findings = built(language), Findings()
    # The deadline is far away: a pause of a busy machine is not a fault of the client.
    scenario = read_scenarios()[name].model_copy(update={"seconds": 2.0, "rate": 100.0, "deadline_ms": 20_000.0})
    if scenario.expect.local is not None:  # nor is a question that a busy machine does not answer before 4 streams end
        scenario = scenario.model_copy(update={"expect": scenario.expect.model_copy(update={"local": 0.5})})
    plan = Plan(1, None, tmp_path, Console(stderr=True).print, findings.faults.append, findings.doubts.append)
    plan.logs.mkdir()
    trial = await try_client(language, driver, name, scenario, plan)
    assert list(missed(trial, scenario)) == []


@pytest.fixture
def methods() -> list[str]:
    """The methods that the caller `lobby` may call."""
    return ["StreamOffers", "ReportOutcome"]


@pytest.fixture
async def mesh(certificates: Certificates, methods: list[str], tmp_path: Path) -> AsyncIterator[Running]:
    """A real supervisor without workers, so its answers are fallbacks; its caller `lobby` has a name and a token."""
    files = certificates.files("supervisor", SERVER_NAME)
    own = ("--tls-cert", files.cert, "--tls-key", files.key, "--tls-ca", files.ca, "--token-port", "0")
    catalog = write_game(tmp_path)
    lobby = {"token_sha256": [hashlib.sha256(TOKEN.encode()).hexdigest()], "names": ["lobby.mesh"], "methods": methods}
    catalog.write_text(catalog.read_text() + yaml.safe_dump({"callers": {"lobby": lobby}}))
    async with supervisor("--catalog", catalog, *own) as running:
        yield running


async def ask(language: str, address: str, *options: str) -> dict[str, Any]:
    """Runs the driver for 50 questions; returns its summary, with its log as `log`."""
    words = [sys.executable if word == "python" else word for word in built(language).run]
    words += ["--targets", address, "--game", "g", "--fallback", "mine", "--rate", "50", "--seconds", "1"]
    words += ["--deadline-ms", "20000", "--players", "1", *options]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "clients/python"), str(ROOT)])}
    process = await asyncio.create_subprocess_exec(
        *words, cwd=ROOT, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await asyncio.wait_for(process.communicate(), WITHIN_S)
    assert process.returncode == 0, err.decode()
    summary: dict[str, Any] = json.loads(out.splitlines()[-1])
    return summary | {"log": err.decode()}


async def test_client_is_known_by_its_certificate(language: str, mesh: Running, certificates: Certificates) -> None:
    options = options_of(certificates.files("lobby"), SERVER_NAME)
    summary = await ask(language, mesh.ready["address"], *options)
    assert (summary["sources"]["fallback"], summary["exceptions"]) == (50, 0)


async def test_refused_certificate_is_the_reason_of_local_answers(
    language: str, mesh: Running, certificates: Certificates, tmp_path: Path
) -> None:
    strange = Certificates(tmp_path).files("strange")
    files = replace(certificates.files("lobby"), ca=strange.ca)
    summary = await ask(language, mesh.ready["address"], *options_of(files, SERVER_NAME), *SOON)
    assert summary["sources"]["local"] == 50
    assert summary["last_local_reason"].startswith(f"{NOT_CONNECTED}: {mesh.ready['address']}: UNAVAILABLE: ")
    assert "certif" in summary["last_local_reason"].lower()


@pytest.mark.parametrize("methods", [["GetOffer"]])
async def test_refused_method_is_the_reason_of_local_answers(
    language: str, mesh: Running, certificates: Certificates
) -> None:
    options = options_of(certificates.files("lobby"), SERVER_NAME)
    summary = await ask(language, mesh.ready["address"], *options, *SOON)
    assert summary["sources"]["local"] == 50
    refusal = f"{mesh.ready['address']}: PERMISSION_DENIED: StreamOffers: "
    assert f": {refusal}" in summary["last_local_reason"]


@pytest.mark.parametrize("methods", [["StreamOffers"]])
async def test_refused_outcomes_are_logged(language: str, mesh: Running, certificates: Certificates) -> None:
    options = options_of(certificates.files("lobby"), SERVER_NAME)
    summary = await ask(language, mesh.ready["address"], *options, "--outcomes", "10")
    assert (summary["sources"]["fallback"], summary["outcomes_taken"]) == (50, 0)
    refusal = f"outcomes wait: {mesh.ready['address']}: PERMISSION_DENIED: StreamOutcomes: "
    assert summary["log"].count(refusal) == 1


async def test_client_is_known_by_its_token(
    language: str, mesh: Running, certificates: Certificates, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text(f"{TOKEN}\n")
    ca = str(certificates.files("lobby").ca)
    options = ["--tls-ca", ca, "--tls-name", SERVER_NAME, "--token-file", str(token)]
    summary = await ask(language, mesh.ready["token_address"], *options)
    assert (summary["sources"]["fallback"], summary["exceptions"]) == (50, 0)
