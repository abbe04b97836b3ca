"""`mesh status` reads metrics over TLS."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Gauge, start_http_server

from mesh.cli.main import main
from mesh.cli.status import command
from mesh.metrics_endpoint import Pages, metrics_endpoint
from tests.certificates import SERVER_NAME, Certificates


@contextmanager
def metrics(**tls: Any) -> Iterator[str]:
    """Serves a metrics page; yields the address."""
    registry = CollectorRegistry()
    Gauge("mesh_lanes", "", ("game", "version", "model", "state"), registry=registry).labels("g", "1", "m", "up").set(1)
    server, thread = start_http_server(0, "127.0.0.1", registry, **tls)
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join(timeout=5)


@pytest.fixture
def certificates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Certificates:
    monkeypatch.setattr(command, "PERIOD_S", 0.01)
    return Certificates(tmp_path / "certificates")


@pytest.fixture
def secured(certificates: Certificates) -> Iterator[str]:
    files = certificates.server()
    with metrics(certfile=str(files.cert), keyfile=str(files.key)) as address:
        yield address


def status(address: str, *options: str) -> int:
    return main(["status", "--once", "--json", "--metrics", address, *options])


def test_status_is_read_over_tls(
    certificates: Certificates, secured: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ca = str(certificates.client().ca)
    assert status(secured, "--tls-ca", ca, "--tls-name", SERVER_NAME) == 0
    monkeypatch.setenv("MESH_TLS_CA", ca)
    assert status(f"https://{secured}", "--tls-name", SERVER_NAME) == 0
    assert capsys.readouterr().out.count('"model": "m"') == 2


def test_plaintext_metrics_of_a_mesh_with_tls_need_no_option(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MESH_TLS_CA", str(certificates.client().ca))
    monkeypatch.setenv("MESH_TOKEN", "secret")
    with metrics() as address:
        assert status(address) == 0


def test_metrics_that_do_not_fit_are_explained(
    certificates: Certificates, secured: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ca, other = str(certificates.client().ca), str(Certificates(tmp_path / "other").client().ca)
    assert status(secured) == 1
    assert f"the server at {secured} speaks TLS, but this client plaintext" in capsys.readouterr().err
    assert status(secured, "--tls-ca", ca) == 1
    assert f"give --tls-name {SERVER_NAME}" in capsys.readouterr().err
    assert status(secured, "--tls-ca", other) == 1
    assert f"is not of a CA in {other}" in capsys.readouterr().err
    with metrics() as address:
        assert status(address, "--tls-ca", ca) == 1
    assert f"the server at {address} speaks plaintext, but this client TLS" in capsys.readouterr().err


async def test_plaintext_metrics_of_a_service_read_with_tls_are_explained(
    certificates: Certificates, capsys: pytest.CaptureFixture[str]
) -> None:
    async with metrics_endpoint(Pages({}), "127.0.0.1", 0) as port:
        ca = str(certificates.client().ca)
        assert await asyncio.to_thread(status, f"127.0.0.1:{port}", "--tls-ca", ca) == 1
    assert f"the server at 127.0.0.1:{port} speaks plaintext, but this client TLS" in capsys.readouterr().err
