"""The supervisor's command line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from mesh.settings import WrongSettingsError
from mesh.tls.files import TlsFiles
from supervisor.settings import SERVICE_ACCOUNT, Settings, read_settings


def faults_of(*arguments: str) -> Sequence[str]:
    with pytest.raises(WrongSettingsError) as caught:
        read_settings(arguments)
    return caught.value.faults


def test_all_wrong_values_are_reported_together() -> None:
    wrong = ["--port", "70000", "--metrics-port", "-1", "--max-waiting", "0", "--drain-s", "-1"]
    wrong += ["--ready-within-s", "-1", "--max-connection-age-s", "0", "--dns", "Not.A.Namespace"]
    wrong += ["--endpoints", "e.json", "--endpoint-slices"]
    assert [fault.partition(":")[0] for fault in faults_of("--catalog", "mesh.yaml", *wrong)] == [
        "--port",
        "--metrics-port",
        "--max-waiting",
        "--drain-s",
        "--ready-within-s",
        "--max-connection-age-s",
        "--dns",
        "--endpoints, --endpoint-slices, --dns",
    ]


def test_faults_of_the_parser_are_among_them() -> None:
    wrong = ["--port", "many", "--drain-s", "long", "--loop", "trio", "--log-level", "loud", "--unknown"]
    assert faults_of(*wrong) == [
        "--unknown: unknown option; see --help",
        "--port: must be a whole number from 0 to 65535, not 'many'",
        "--drain-s: must be a number of seconds from 0 to 600, not 'long'",
        "--loop: must be one of uvloop, asyncio, not 'trio'",
        "--log-level: must be one of debug, info, warning, error, not 'loud'",
        "--catalog: is missing; give the catalog file of each game",
    ]


def test_option_without_its_value_is_reported() -> None:
    (fault,) = faults_of("--catalog", "mesh.yaml", "--port")
    assert "--port" in fault


@pytest.mark.parametrize(
    "bound",
    [
        ("--port", "65535"),
        ("--metrics-port", "0"),
        ("--max-waiting", "1"),
        ("--drain-s", "0"),
        ("--drain-s", "600"),
        ("--ready-within-s", "0"),
        ("--ready-within-s", "600"),
        ("--max-connection-age-s", "1"),
        ("--max-connection-age-s", "86400"),
        ("--dns", "games"),
    ],
    ids="=".join,
)
def test_bounds_are_accepted(bound: tuple[str, str]) -> None:
    read_settings(["--catalog", "mesh.yaml", *bound])


def test_defaults() -> None:
    assert read_settings(["--catalog", "mesh.yaml"]) == Settings(
        catalogs=(Path("mesh.yaml"),),
        files=None,
        volume=(),
        config_map=None,
        endpoints=None,
        endpoint_slices=None,
        dns=None,
        host="127.0.0.1",
        port=0,
        token_port=None,
        no_reflection=False,
        servers=4,
        metrics_host="127.0.0.1",
        metrics_port=0,
        max_waiting=2048,
        listen_within_s=0.0,
        ready_within_s=0.0,
        max_connection_age_s=None,
        drain_s=5.0,
        loop="uvloop",
        log_level="info",
        log_format="text",
        follow_parent=False,
        metrics_tls=False,
        tls=None,
        traces=None,
    )


def test_settings_are_the_given_values() -> None:
    given = read_settings(["--catalog", "a.yaml", "--catalog", "b.yaml", "--port", "7000", "--endpoints", "e.json"])
    assert (given.catalogs, given.port, given.endpoints) == ((Path("a.yaml"), Path("b.yaml")), 7000, Path("e.json"))


def test_service_account_is_in_the_folder_of_the_kubelet_by_default() -> None:
    given = [read_settings(["--catalog", "a.yaml", "--endpoint-slices", *folder]) for folder in ([], ["elsewhere"])]
    assert [settings.endpoint_slices for settings in given] == [SERVICE_ACCOUNT, Path("elsewhere")]
    assert read_settings(["--catalog", "a.yaml"]).endpoint_slices is None


def test_config_map_needs_one_catalog_and_a_service_account() -> None:
    faults = faults_of("--catalog", "a.yaml", "--catalog", "b.yaml", "--config-map", "Not a name")
    assert [fault.partition(";")[0] for fault in faults] == [
        "--config-map: must be the name of a Kubernetes object, not 'Not a name'",
        "--config-map: goes with one catalog",
        "--config-map: needs the service account of --endpoint-slices",
    ]
    given = read_settings(["--catalog", "a.yaml", "--endpoint-slices", "--config-map", "game-catalog"])
    assert given.config_map == "game-catalog"


TLS = ("--tls-cert", "s.pem", "--tls-key", "s.key", "--tls-ca", "ca.pem")


def test_token_port_needs_tls_and_is_another_port() -> None:
    given = read_settings(["--catalog", "a.yaml", *TLS, "--token-port", "0", "--metrics-tls"])
    assert given.tls == TlsFiles(Path("s.pem"), Path("s.key"), Path("ca.pem"))
    assert (given.port, given.token_port, given.metrics_tls) == (0, 0, True)
    assert faults_of("--catalog", "a.yaml", "--token-port", "7001", "--metrics-tls") == [
        "--metrics-tls: needs a certificate; give --tls-cert, --tls-key and --tls-ca",
        "--token-port: needs TLS, because a token must not be readable on the way; give --tls-cert too",
    ]
    assert faults_of("--catalog", "a.yaml", *TLS, "--port", "7000", "--token-port", "7000") == [
        "--token-port: must be another port than --port, which requires client certificates"
    ]
