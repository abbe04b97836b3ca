"""Everything that calls, against a real supervisor with TLS: commands, load generators, example backends."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
import yaml

from tests.certificates import Certificates
from tests.certificates import options_of as options_with
from tests.free_port import free_port
from tests.supervisor.backend import write_game
from tests.supervisor.processes import Running, supervisor

pytestmark = pytest.mark.whole_machine

ROOT = Path(__file__).parents[2]
SERVER_NAME = "supervisor.g.mesh"
TOKENS = ("token-before", "token-after")
WITHIN_S = 60


@pytest.fixture
async def mesh(certificates: Certificates, tmp_path: Path) -> AsyncIterator[Running]:
    """A supervisor without workers: its answers are fallbacks."""
    files = certificates.files("supervisor", SERVER_NAME)
    own = ("--tls-cert", files.cert, "--tls-key", files.key, "--tls-ca", files.ca)
    async with supervisor("--catalog", write_game(tmp_path), *own) as running:
        yield running


@pytest.fixture
async def mesh_with_callers(certificates: Certificates, tmp_path: Path) -> AsyncIterator[Running]:
    """The same; it has one caller, `lobby`, with two tokens and two names."""
    files = certificates.files("supervisor", SERVER_NAME)
    own = ("--tls-cert", files.cert, "--tls-key", files.key, "--tls-ca", files.ca, "--token-port", "0")
    hashes = [hashlib.sha256(token.encode()).hexdigest() for token in TOKENS]
    catalog = write_game(tmp_path)
    lobby = {"token_sha256": hashes, "names": ["first.mesh", "second.mesh"]}
    catalog.write_text(catalog.read_text() + yaml.safe_dump({"callers": {"lobby": lobby}}))
    async with supervisor("--catalog", catalog, *own) as running:
        yield running


def run(module: str, *words: str, variables: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **(variables or {})}
    command = [sys.executable, "-m", module, *words]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=WITHIN_S, check=False, cwd=ROOT
    )


def options_of(certificates: Certificates) -> list[str]:
    return options_with(certificates.client(), SERVER_NAME)


def locust_options_of(certificates: Certificates) -> list[str]:
    """Locust has its own --tls-cert and --tls-key."""
    return [word.replace("--tls", "--mesh-tls") for word in options_of(certificates)]


def variables_of(certificates: Certificates) -> dict[str, str]:
    client = certificates.client()
    own = {"MESH_TLS_CERT": str(client.cert), "MESH_TLS_KEY": str(client.key)}
    return {"MESH_TLS_CA": str(client.ca), "MESH_TLS_NAME": SERVER_NAME, **own}


def test_offer_over_tls_by_options_and_by_the_environment(mesh: Running, certificates: Certificates) -> None:
    words = ("offer", "--game", "g", "--player", "anna", "--json", "--address", mesh.ready["address"])
    by_options = run("mesh.cli.main", *words, *options_of(certificates))
    by_environment = run("mesh.cli.main", *words, variables=variables_of(certificates))
    for done in (by_options, by_environment):
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["source"] == "FALLBACK"


def test_caller_is_known_by_its_token_or_by_its_certificate(
    mesh_with_callers: Running, certificates: Certificates
) -> None:
    ready, ask = mesh_with_callers.ready, ("offer", "--game", "g", "--player", "anna", "--json")
    ca, name = str(certificates.files("first").ca), ("--tls-name", SERVER_NAME)
    by_token = ("--address", ready["token_address"], "--tls-ca", ca, *name)
    done = run("mesh.cli.main", *ask, *by_token, variables={"MESH_TOKEN": TOKENS[0]})
    assert json.loads(done.stdout)["source"] == "FALLBACK", done.stderr
    by_name = ("--address", ready["address"], *options_with(certificates.files("first"), SERVER_NAME))
    assert json.loads(run("mesh.cli.main", *ask, *by_name).stdout)["source"] == "FALLBACK"

    wrong = run("mesh.cli.main", *ask, *by_token, variables={"MESH_TOKEN": "wrong"})
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert wrong.stderr.startswith("the mesh does not know this caller: authorization: is not the bearer token of a ")
    unknown = run("mesh.cli.main", *ask, "--address", ready["address"], *options_of(certificates))
    assert unknown.returncode == 1
    assert unknown.stderr.startswith("the mesh does not know this caller: the peer is not a caller of this supervisor")
    at_mutual = run("mesh.cli.main", *ask, "--address", ready["address"], *by_token[2:])
    assert "demands a certificate of its clients" in at_mutual.stderr


@pytest.mark.parametrize("renewed", ["certificate", "token"])
def test_run_follows_what_is_renewed_without_a_failed_request(
    mesh_with_callers: Running, certificates: Certificates, tmp_path: Path, renewed: str
) -> None:
    ready, token = mesh_with_callers.ready, tmp_path / "token"
    token.write_text(TOKENS[0])
    files = certificates.files("lobby", "first.mesh")
    by_token = ["--tls-ca", str(files.ca), "--tls-name", SERVER_NAME, "--token-file", str(token)]
    has_token = renewed == "token"
    address = ready["token_address"] if has_token else ready["address"]
    tls = by_token if has_token else options_with(files, SERVER_NAME)
    out, players = ("--out", str(tmp_path / "run.json")), ("--players", "5")
    words = ("run", "--game", "g", "--address", address, "--rate", "40", "--seconds", "6", "--json", *out, *players)
    process = start("loadtest", *words, *tls, stderr=subprocess.DEVNULL)
    try:
        for number in (1, 0, 1):
            time.sleep(2.0)  # the senders look at the files every second
            if has_token:
                token.write_text(TOKENS[number])
            else:
                certificates.files("lobby", ("first.mesh", "second.mesh")[number])
        output, _ = process.communicate(timeout=WITHIN_S)
    finally:
        process.kill()
    document = json.loads(output)
    assert document["classes"]["error"] == document["classes"]["refused"] == 0
    assert document["requests"] > 100


def test_open_loop_runs_over_tls(mesh: Running, certificates: Certificates, tmp_path: Path) -> None:
    words = ["run", "--game", "g", "--address", mesh.ready["address"], "--rate", "50", "--seconds", "1", "--json"]
    tls = options_of(certificates)
    done = run("loadtest", *words, *tls, "--players", "5", "--out", str(tmp_path / "run.json"))
    classes = json.loads(done.stdout)["classes"]
    assert classes["fallback"] > 0
    assert classes["error"] == classes["refused"] == 0


def test_handshakes_are_counted_beside_requests(mesh: Running, certificates: Certificates, tmp_path: Path) -> None:
    words = [
        "handshakes",
        "--game",
        "g",
        "--address",
        mesh.ready["address"],
        "--rate",
        "50",
        "--seconds",
        "1",
        "--json",
    ]
    pid = ["--supervisor-pid", str(mesh.ready["pid"]), "--connections-per-s", "0,20,all"]
    done = run("loadtest", *words, *pid, *options_of(certificates), "--out", str(tmp_path / "handshakes.json"))
    assert done.stdout, done.stderr
    without, few, all_ = json.loads(done.stdout)["runs"]
    assert without["accepted_per_s"] == 0
    assert 0 < few["accepted_per_s"] < all_["accepted_per_s"]
    assert few["failed"] == all_["failed"] == {}
    assert all_["cpu_ms_per_handshake"] > 0
    assert all(one["classes"]["fallback"] > 0 == one["classes"]["error"] for one in (without, few, all_))


def test_handshakes_that_the_supervisor_refuses_do_not_count(
    mesh: Running, certificates: Certificates, tmp_path: Path
) -> None:
    other = Certificates(tmp_path / "other").client()
    client = certificates.client()
    environment = {"MESH_TLS_CERT": str(other.cert), "MESH_TLS_KEY": str(other.key), "MESH_TLS_CA": str(client.ca)}
    words = (mesh.ready["address"], "20", "0.5")
    done = run("loadtest.handshakes.opener", *words, variables={**environment, "MESH_TLS_NAME": SERVER_NAME})
    counts = json.loads(done.stdout.splitlines()[-1])
    assert counts["accepted"] == 0
    assert sum(counts["failed"].values()) == 10


LOCUST = ("locust", "--headless", "--only-summary", "--users", "5", "--run-time", "3s", "--games", "g", "--host")


def test_locust_runs_over_tls(mesh: Running, certificates: Certificates) -> None:
    done = run("loadtest", *LOCUST, mesh.ready["address"], *locust_options_of(certificates))
    assert done.returncode == 0, done.stderr
    assert "GetOffer FALLBACK" in done.stderr


def test_locust_that_does_not_fit_is_explained(mesh: Running) -> None:
    address = mesh.ready["address"]
    done = run("loadtest", *LOCUST, address, "--run-time", "30s")
    assert done.returncode == 2
    problem = f"locust: the server at {address} speaks TLS, but this client plaintext; give --mesh-tls-ca"
    assert problem in done.stderr


def test_workers_of_locust_get_the_options_of_the_master(mesh: Running, certificates: Certificates) -> None:
    port = str(free_port())
    tls = locust_options_of(certificates)
    master = start("loadtest", *LOCUST, mesh.ready["address"], *tls, "--master", *waiting(port))
    worker = start("loadtest", "locust", "--worker", "--master-host", "127.0.0.1", "--master-port", port)
    try:
        output, _ = master.communicate(timeout=WITHIN_S)
        worker_output, _ = worker.communicate(timeout=WITHIN_S)
    finally:
        master.kill()
        worker.kill()
    assert (master.returncode, worker.returncode) == (0, 0), output + worker_output
    assert "GetOffer FALLBACK" in output


def waiting(port: str) -> Sequence[str]:
    bind = ("--master-bind-host", "127.0.0.1", "--master-bind-port", port)
    return ("--expect-workers", "1", "--expect-workers-max-wait", "30", *bind)


def start(module: str, *words: str, stderr: int = subprocess.STDOUT) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", module, *words]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=stderr, text=True)
