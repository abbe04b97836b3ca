from __future__ import annotations

from pathlib import Path

import pytest

from mesh.settings import WrongSettingsError
from mesh.tls.files import TlsFiles
from model_worker.settings import Settings, read_settings

NEEDED = ["--name", "whales", "--uri", "models/whales.txt"]


def faults(*arguments: str) -> list[str]:
    with pytest.raises(WrongSettingsError) as caught:
        read_settings(arguments)
    return caught.value.faults


def test_settings_have_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert read_settings(NEEDED) == Settings(
        name="whales",
        uri="models/whales.txt",
        sha256=None,
        categories=None,
        inputs="",
        golden=None,
        golden_sha256=None,
        host="127.0.0.1",
        port=0,
        socket=None,
        metrics_port=0,
        max_batch_rows=4096,
        max_queue_rows=16384,
        num_threads=1,
        engine="auto",
        loop="uvloop",
        nice=0,
        follow_parent=False,
        no_reflection=False,
        log_level="info",
        log_format="text",
        drain_s=5.0,
        proof_memory_mb=2048,
        proof_s=20.0,
        proofs="/caches/ensemble-mesh/proofs",
        trusted_proofs="",
        cache="/caches/ensemble-mesh/models",
        fetch_s=90.0,
        max_model_mb=1024,
        tls_supervisor=(),
        metrics_tls=False,
        tls=None,
        traces=None,
    )


def test_default_cache_is_in_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", "/home/anna")
    assert read_settings(NEEDED).cache == "/home/anna/.cache/ensemble-mesh/models"


def test_digest_may_be_in_capitals() -> None:
    assert read_settings([*NEEDED, "--sha256", "AB" * 32]).sha256 == "ab" * 32


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (["--port", "65536"], "--port: must be a whole number from 0 to 65535, not '65536'"),
        (["--port", "1.5"], "--port: must be a whole number"),
        (["--max-batch-rows", "0"], "--max-batch-rows: must be a whole number from 1"),
        (["--drain-s", "nan"], "--drain-s: must be a number of seconds"),
        (["--drain-s", "0"], "--drain-s: must be a number of seconds from 0.001 to 3600"),
        (["--max-queue-rows", "10"], "--max-queue-rows: must be at least --max-batch-rows"),
        (["--log-level", "loud"], "--log-level: must be one of debug, info, warning, error"),
        (["--engine", "forest"], "--engine: must be one of auto, lightgbm, not 'forest'"),
        (["--name", "Whales"], "--name: must be a DNS label"),
        (["--sha256", "0" * 63], "--sha256: must be 64 hex digits"),
        (["--port"], "argument --port: expected one argument"),
        (["--prot", "1"], "--prot: unknown"),
    ],
)
def test_fault_has_its_option_and_the_fix(arguments: list[str], fault: str) -> None:
    assert fault in "\n".join(faults(*NEEDED, *arguments))


def test_all_faults_are_reported_together() -> None:
    reported = faults("--name", "-", "--port", "x", "--nice", "99")
    assert [fault.partition(":")[0] for fault in reported] == ["--name", "--uri", "--port", "--nice"]


def test_categories_are_names_with_commas() -> None:
    assert read_settings([*NEEDED, "--categories", "region,tier"]).categories == ["region", "tier"]
    assert faults(*NEEDED, "--categories=region,,tier")[0].startswith("--categories: must be names of columns")


TLS = ("--tls-cert", "w.pem", "--tls-key", "w.key", "--tls-ca", "ca.pem")


def test_tls_files_are_given_together_and_with_the_names_of_the_supervisors() -> None:
    given = read_settings([*NEEDED, *TLS, "--tls-supervisor", "a", "--tls-supervisor", "b", "--metrics-tls"])
    assert given.tls == TlsFiles(Path("w.pem"), Path("w.key"), Path("ca.pem"))
    assert (given.tls_supervisor, given.metrics_tls) == (("a", "b"), True)
    assert faults(*NEEDED, "--tls-cert", "w.pem") == [
        "--tls-key: is missing; give it with the other TLS options",
        "--tls-ca: is missing; give it with the other TLS options",
        "--tls-supervisor: is missing; name the supervisors that may send rows to this worker",
    ]
    assert faults(*NEEDED, *TLS) == [
        "--tls-supervisor: is missing; name the supervisors that may send rows to this worker"
    ]
    assert faults(*NEEDED, "--metrics-tls") == [
        "--metrics-tls: needs a certificate; give --tls-cert, --tls-key and --tls-ca"
    ]
