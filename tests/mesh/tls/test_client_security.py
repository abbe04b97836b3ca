"""The options and environment variables of a client, and the faults of its files."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mesh.errors import Misconfigured
from mesh.tls.channel import PLAINTEXT, ClientSecurity, client_security, metrics_security
from mesh.tls.throwaway import CLOCK_SKEW, LIFETIME, Times
from tests.certificates import Certificates, security_with

NONE = dict.fromkeys(("tls_ca", "tls_cert", "tls_key", "tls_name", "token_file"))
CA = {**NONE, "tls_ca": "ca.pem"}


def faults_of(call: Callable[[], object]) -> list[str]:
    with pytest.raises(Misconfigured) as caught:
        call()
    return caught.value.faults


def test_client_without_options_is_plaintext() -> None:
    assert client_security(NONE, {}) == PLAINTEXT


def test_option_takes_precedence_over_its_variable() -> None:
    environ = {"MESH_TLS_CA": "other.pem", "MESH_TLS_CERT": "c.pem", "MESH_TLS_KEY": "c.key", "MESH_TLS_NAME": "mesh"}
    expected = ClientSecurity(Path("ca.pem"), Path("c.pem"), Path("c.key"), "mesh")
    assert client_security(CA, environ) == expected


def test_token_comes_from_the_file_else_from_the_environment(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("of-file\n")
    environ = {"MESH_TOKEN": "of-environment"}
    assert client_security(CA, environ).metadata() == (("authorization", "Bearer of-environment"),)
    of_file = {**CA, "token_file": str(tmp_path / "token")}
    assert client_security(of_file, environ).metadata() == (("authorization", "Bearer of-file"),)


@pytest.mark.parametrize(
    ("values", "environ", "fault"),
    [
        ({"token_file": "t"}, {}, "--token-file: a token is sent only over TLS; give --tls-ca too, or unset "),
        ({}, {"MESH_TOKEN": "t"}, "MESH_TOKEN: a token is sent only over TLS; give --tls-ca too, or unset MESH_TOKEN"),
        ({"tls_name": "mesh"}, {}, "--tls-name: the connection would be plaintext; give --tls-ca too"),
        ({"tls_ca": "ca", "tls_cert": "c"}, {}, "--tls-key: is missing; give it with --tls-cert"),
        ({"tls_ca": "ca", "tls_key": "c"}, {}, "--tls-cert: is missing; give it with --tls-key"),
    ],
)
def test_options_that_do_not_belong_together_are_refused(
    values: dict[str, str], environ: dict[str, str], fault: str
) -> None:
    assert faults_of(lambda: client_security({**NONE, **values}, environ))[0].startswith(fault)


@pytest.mark.parametrize("text", ["", " \n", "two words", "naïve", "line\nline"])
def test_text_that_cannot_be_a_token_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "token"
    file.write_text(text)
    (fault,) = faults_of(lambda: client_security({**CA, "token_file": str(file)}, {}))
    assert fault.startswith(f"{file}: is ")
    assert "write the token on one line" in fault
    assert "words" not in fault  # the text can be a secret


def test_child_process_connects_in_the_same_way(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t")
    values = {"tls_ca": "ca.pem", "tls_cert": "c.pem", "tls_key": "c.key", "tls_name": "mesh", "token_file": None}
    for given, environ in ((values, {"MESH_TOKEN": "t"}), ({**values, "token_file": str(tmp_path / "token")}, {})):
        parent = client_security(given, environ)
        child = client_security(NONE, {"MESH_TLS_CA": "of the parent's parent", **parent.environment()})
        assert child.metadata() == parent.metadata()
        assert child.without_token() == parent.without_token()
    assert client_security(NONE, {"MESH_TLS_CA": "ca.pem", **PLAINTEXT.environment()}) == PLAINTEXT


def test_metrics_are_plaintext_unless_the_command_line_asks_for_tls() -> None:
    environ = {"MESH_TLS_CA": "ca.pem"}
    assert metrics_security("127.0.0.1:9100", NONE, environ) == PLAINTEXT
    assert metrics_security("https://127.0.0.1:9100", NONE, environ).ca == Path("ca.pem")
    assert metrics_security("127.0.0.1:9100", {**NONE, "tls_ca": "own.pem"}, environ).ca == Path("own.pem")
    (fault,) = faults_of(lambda: metrics_security("https://127.0.0.1:9100", NONE, {}))
    assert fault == "--metrics https://127.0.0.1:9100: TLS needs the CA of the server; give --tls-ca"


def test_missing_file_is_named(tmp_path: Path) -> None:
    (fault,) = faults_of(ClientSecurity(tmp_path / "ca.pem").credentials)
    assert fault.startswith(f"{tmp_path / 'ca.pem'}: cannot be read: ")


def test_file_that_is_not_pem_is_named(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    (fault,) = faults_of(ClientSecurity(tmp_path / "ca.pem").credentials)
    assert fault.startswith(f"{tmp_path / 'ca.pem'}: is not a PEM file of certificates")


def test_key_of_another_certificate_is_refused(tmp_path: Path) -> None:
    certificates = Certificates(tmp_path)
    files, other = certificates.client(), certificates.files("other")
    (fault,) = faults_of(ClientSecurity(files.ca, files.cert, other.key).credentials)
    assert fault.startswith(f"{other.key}: is not the key of the first certificate in {files.cert}")


def test_expired_certificate_is_refused(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    files = Certificates(tmp_path).files("client", times=Times(now - LIFETIME, now - CLOCK_SKEW))
    (fault,) = faults_of(security_with(files).credentials)
    assert fault.startswith(f"{files.cert}: the certificate expired at ")
