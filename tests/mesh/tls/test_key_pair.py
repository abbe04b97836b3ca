"""Files of a certificate: which are accepted, and what is said about the others."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID as Purpose

from mesh.errors import Misconfigured
from mesh.tls.demands import Demands
from mesh.tls.files import TlsFiles
from mesh.tls.key_pair import KeyPair, read_key_pair
from mesh.tls.pem import LIMIT_BYTES
from tests.mesh.tls.certificates import DAY, NAME, NOW, Holder, Wish, authority, ec_key, issue, key_pem, pem, write

CA = authority()
BOTH = Demands(serves=True, calls=True)
SIGNS_NOTHING = x509.KeyUsage(False, False, True, False, False, False, False, False, False)


def accepted(files: TlsFiles, demands: Demands = BOTH) -> KeyPair:
    return read_key_pair(files, NOW, demands)


def refused(files: TlsFiles, demands: Demands = BOTH) -> str:
    with pytest.raises(Misconfigured) as refusal:
        read_key_pair(files, NOW, demands)
    return refusal.value.reason


def test_pair_has_its_bytes_names_and_first_expiry(tmp_path: Path) -> None:
    names = [x509.DNSName(NAME), x509.UniformResourceIdentifier("spiffe://demo/service")]
    service = issue(CA, Wish(names=names))
    pair = accepted(write(tmp_path, service, CA))
    assert (pair.cert, pair.key, pair.ca) == (service.cert_pem, service.key_pem, CA.cert_pem)
    assert pair.names == {NAME, "spiffe://demo/service"}
    assert (pair.not_after, pair.ca_not_after) == (NOW + 30 * DAY, NOW + 365 * DAY)
    assert pair.warnings == ()


def test_intermediate_that_expires_first_is_the_expiry_of_the_pair(tmp_path: Path) -> None:
    middle = issue(CA, Wish("intermediate", is_ca=True, end=NOW + 3 * DAY))
    assert accepted(write(tmp_path, issue(middle), CA)).not_after == NOW + 3 * DAY


def test_ca_that_expires_first_is_the_expiry_of_the_cas(tmp_path: Path) -> None:
    other = authority("other CA", end=NOW + 2 * DAY)
    pair = accepted(write(tmp_path, issue(CA), CA, other))
    assert (pair.not_after, pair.ca_not_after) == (NOW + 30 * DAY, NOW + 2 * DAY)


@pytest.mark.parametrize("end", [-DAY, timedelta(0)])
def test_expired_certificate_is_refused(tmp_path: Path, end: timedelta) -> None:
    files = write(tmp_path, issue(CA, Wish(begin=NOW - 9 * DAY, end=NOW + end)), CA)
    assert re.fullmatch(rf"{files.cert}: the certificate 'CN=service' expired at .* UTC; renew it", refused(files))


def test_certificate_that_is_not_valid_yet_is_refused(tmp_path: Path) -> None:
    files = write(tmp_path, issue(CA, Wish(begin=NOW + DAY)), CA)
    assert "is valid from" in refused(files)
    assert "check the clock" in refused(files)


def test_expired_intermediate_is_refused(tmp_path: Path) -> None:
    middle = issue(CA, Wish("intermediate", is_ca=True, begin=NOW - 9 * DAY, end=NOW - DAY))
    assert "the certificate 'CN=intermediate' expired" in refused(write(tmp_path, issue(middle), CA))


def test_expired_intermediate_beside_the_path_is_ignored(tmp_path: Path) -> None:
    stray = issue(CA, Wish("stray", is_ca=True, begin=NOW - 9 * DAY, end=NOW - DAY))
    service = issue(CA)
    files = write(tmp_path, Holder(service.key, service.certificate, (stray.certificate,)), CA)
    assert accepted(files).not_after == NOW + 30 * DAY


def test_key_of_another_certificate_is_refused(tmp_path: Path) -> None:
    files = write(tmp_path, Holder(ec_key(), issue(CA).certificate), CA)
    assert refused(files) == (
        f"{files.key}: is not the key of the first certificate in {files.cert}; give both files of one pair"
    )


def test_chain_in_the_wrong_order_is_refused_with_the_fix(tmp_path: Path) -> None:
    middle = issue(CA, Wish("intermediate", is_ca=True))
    service = issue(middle)
    files = write(tmp_path, Holder(service.key, middle.certificate, (service.certificate,)), CA)
    assert "the certificate of the key must be the first, its CAs follow; change the order" in refused(files)


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
@pytest.mark.parametrize("key", [ec_key(), rsa.generate_private_key(65537, 2048)])
def test_both_forms_of_a_key_are_read(tmp_path: Path, form: PrivateFormat, key: ec.EllipticCurvePrivateKey) -> None:
    files = write(tmp_path, issue(CA, Wish(key=key)), CA)
    files.key.write_bytes(key_pem(key, form))
    assert accepted(files).key == key_pem(key, form)


def test_key_behind_its_curve_and_beside_certificates_is_read(tmp_path: Path) -> None:
    service = issue(CA)
    files = write(tmp_path, service, CA)
    curve = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    files.key.write_bytes(curve + key_pem(service.key, PrivateFormat.TraditionalOpenSSL) + service.cert_pem)
    files.cert.write_bytes(service.key_pem + b"subject=service\r\n" + service.cert_pem)
    assert accepted(files).names == {NAME}


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_encrypted_key_is_refused_with_the_fix(tmp_path: Path, form: PrivateFormat) -> None:
    service = issue(CA)
    files = write(tmp_path, service, CA)
    files.key.write_bytes(service.key.private_bytes(Encoding.PEM, form, BestAvailableEncryption(b"secret")))
    assert refused(files) == (
        f"{files.key}: is encrypted, and a service cannot ask for the password; decrypt it with openssl pkey"
    )


UNSUPPORTED = [
    (ed25519.Ed25519PrivateKey.generate(), "of the kind Ed25519"),
    (ed448.Ed448PrivateKey.generate(), "of the kind Ed448"),
    (ec_key(ec.SECP521R1()), "on the curve secp521r1"),
    (ec_key(ec.SECP224R1()), "on the curve secp224r1"),
    (ec_key(ec.SECP256K1()), "on the curve secp256k1"),
    (rsa.generate_private_key(65537, 1024), "has only 1024 bits"),
]


@pytest.mark.parametrize(("key", "fault"), UNSUPPORTED, ids=[fault for _, fault in UNSUPPORTED])
def test_key_that_clients_refuse_is_refused(tmp_path: Path, key: ec.EllipticCurvePrivateKey, fault: str) -> None:
    sentence = refused(write(tmp_path, issue(CA, Wish(key=key)), CA))
    assert fault in sentence
    assert "P-256 or P-384" in sentence


def test_certificate_of_a_ca_is_refused(tmp_path: Path) -> None:
    assert "the first certificate is that of a CA" in refused(write(tmp_path, CA, CA))


@pytest.mark.parametrize(
    ("purposes", "demands", "fault"),
    [
        ([Purpose.CLIENT_AUTH], BOTH, "serverAuth"),
        ([Purpose.SERVER_AUTH], BOTH, "clientAuth"),
        ([Purpose.ANY_EXTENDED_KEY_USAGE], Demands(serves=True), "serverAuth"),  # gRPC refuses it
        ([Purpose.CODE_SIGNING], Demands(calls=True), "clientAuth"),
    ],
)
def test_certificate_for_another_use_is_refused(
    tmp_path: Path, purposes: list[x509.ObjectIdentifier], demands: Demands, fault: str
) -> None:
    files = write(tmp_path, issue(CA, Wish(extensions=[x509.ExtendedKeyUsage(purposes)])), CA)
    assert refused(files, demands).endswith(f"issue it with the extended key usage {fault}")


@pytest.mark.parametrize(
    ("purposes", "demands"),
    [
        ([Purpose.CLIENT_AUTH, Purpose.SERVER_AUTH], BOTH),
        ([Purpose.SERVER_AUTH], Demands(serves=True)),
        ([Purpose.CLIENT_AUTH], Demands(calls=True)),
        ([Purpose.CLIENT_AUTH], Demands()),
    ],
)
def test_certificate_for_its_use_is_accepted(
    tmp_path: Path, purposes: list[x509.ObjectIdentifier], demands: Demands
) -> None:
    accepted(write(tmp_path, issue(CA, Wish(extensions=[x509.ExtendedKeyUsage(purposes)])), CA), demands)


def test_certificate_that_may_not_sign_is_refused(tmp_path: Path) -> None:
    assert "digitalSignature" in refused(write(tmp_path, issue(CA, Wish(extensions=[SIGNS_NOTHING])), CA))


def test_missing_name_is_refused_with_the_place_that_demands_it(tmp_path: Path) -> None:
    files = write(tmp_path, issue(CA), CA)
    demands = Demands(names={"supervisor.chess.mesh": "tls.supervisor of the game chess", NAME: "another"})
    assert refused(files, demands) == (
        f"{files.cert}: the name supervisor.chess.mesh (tls.supervisor of the game chess) is missing in the "
        f"certificate, whose names are: {NAME}; add it"
    )


@pytest.mark.parametrize("names", [[], [x509.UniformResourceIdentifier("spiffe://demo/service")]])
def test_server_without_a_dns_name_is_refused_if_clients_need_one(
    tmp_path: Path, names: list[x509.GeneralName]
) -> None:
    files = write(tmp_path, issue(CA, Wish(names=names)), CA)
    assert "has no DNS name" in refused(files, Demands(dns_name=True))
    accepted(files)


def test_certificate_of_another_ca_is_accepted_with_a_warning(tmp_path: Path) -> None:
    files = write(tmp_path, issue(authority("public CA")), CA)
    (warning,) = accepted(files).warnings
    assert warning.startswith(f"{files.cert}: the certificate does not lead to a CA in {files.ca}")


def test_missing_intermediate_is_warned_about(tmp_path: Path) -> None:
    service = issue(issue(CA, Wish("intermediate", is_ca=True)))
    (warning,) = accepted(write(tmp_path, Holder(service.key, service.certificate), CA)).warnings
    assert "or add the intermediate CAs" in warning


def test_ca_of_the_same_name_with_another_key_is_another_ca(tmp_path: Path) -> None:
    assert accepted(write(tmp_path, issue(authority()), CA)).warnings != ()
    assert accepted(write(tmp_path, issue(CA), authority(), CA)).warnings == ()


def test_expired_ca_beside_a_valid_one_is_warned_about(tmp_path: Path) -> None:
    expired = authority("old CA", end=NOW - DAY)
    pair = accepted(write(tmp_path, issue(CA), expired, CA))
    assert pair.ca_not_after == NOW + 365 * DAY
    (warning,) = pair.warnings
    assert "the CA 'CN=old CA' expired" in warning


def test_cas_that_have_all_expired_are_refused(tmp_path: Path) -> None:
    assert "every CA has expired" in refused(write(tmp_path, issue(CA), authority(end=NOW - DAY)))


def test_all_faults_are_reported_together(tmp_path: Path) -> None:
    purposes = x509.ExtendedKeyUsage([Purpose.CODE_SIGNING])
    wrong = issue(CA, Wish(end=NOW - timedelta(hours=1), extensions=[purposes]))
    files = write(tmp_path, Holder(ec_key(), wrong.certificate), CA)
    assert refused(files).count("\n") == 3
    files.cert.unlink()
    files.ca.unlink()
    assert refused(files).count("\n") == 1


def _removed(path: Path) -> None:
    path.unlink()


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _without_rights(path: Path) -> None:
    path.chmod(0)


def _content(pem_file: bytes) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        path.write_bytes(pem_file)

    return damage


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


DAMAGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "missing": (_removed, "No such file"),
    "folder": (_folder, "directory"),
    "pipe": (_pipe, "is not a regular file"),
    "unreadable": (_without_rights, "Permission denied"),
    "empty": (_content(b""), "is empty"),
    "blank": (_content(b"\n \n"), "is empty"),
    "text": (_content(b"hello"), "is not a PEM file"),
    "binary": (_content(bytes(range(256)) * 9), "is not a PEM file"),
    "damaged block": (_content(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), "is not a PEM file"),
    "huge": (_content(b"#" * (LIMIT_BYTES + 1)), "is larger than"),
    "cut off": (_cut, "is not a PEM file"),
}


@pytest.mark.parametrize("which", ["cert", "key", "ca"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_file_is_refused_by_its_name(tmp_path: Path, which: str, damage: str) -> None:
    if damage == "unreadable" and os.geteuid() == 0:
        pytest.skip("root may read every file; run the tests as another user")
    files = write(tmp_path, issue(CA), CA)
    path: Path = getattr(files, which)
    break_file, fault = DAMAGES[damage]
    break_file(path)
    sentence = refused(files)
    assert sentence.startswith(f"{path}: ")
    assert fault in sentence
    assert "\n" not in sentence


def test_ca_file_that_ends_within_its_second_certificate_is_refused(tmp_path: Path) -> None:
    files = write(tmp_path, issue(CA), CA, authority("new CA"))
    files.ca.write_bytes(files.ca.read_bytes()[:-40])
    assert refused(files) == f"{files.ca}: is cut off: 1 of 2 certificates are whole; write the whole file"


def test_certificate_signed_with_sha1_is_refused(tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed; install it with apt-get install openssl")
    service, request = issue(CA), tmp_path / "request.pem"
    files = write(tmp_path, service, CA)
    (tmp_path / "ca.key").write_bytes(CA.key_pem)
    run = partial(subprocess.run, check=True, capture_output=True, cwd=tmp_path)
    run([openssl, "req", "-new", "-key", files.key, "-subj", "/CN=service", "-out", request])
    signing = ["-CA", files.ca, "-CAkey", "ca.key", "-CAcreateserial", "-sha1", "-days", "9", "-out", files.cert]
    run([openssl, "x509", "-req", "-in", request, *signing])
    fault = (
        f"{files.cert}: the certificate is signed with SHA-1, and TLS clients refuse this; issue it again with SHA-256"
    )
    with pytest.raises(Misconfigured, match=re.escape(fault)):
        read_key_pair(files, datetime.now(UTC) + timedelta(hours=1), BOTH)


def test_private_key_is_not_in_the_text_of_a_pair(tmp_path: Path) -> None:
    service = issue(CA)
    pair = accepted(write(tmp_path, service, CA))
    secret = service.key_pem.splitlines()[1].decode()
    assert secret not in repr(pair)
    assert pem(CA.certificate) == pair.ca
