"""The names of a peer."""

from __future__ import annotations

from mesh.tls.peer import peer_names

URI, NAME = b"spiffe://studio.example/lobby", b"lobby.studio.example"


def test_names_are_the_uris_and_dns_names_of_the_certificate() -> None:
    context = {
        "peer_uri": [URI],
        "peer_dns": [NAME, b"other.example"],
        "peer_email": [b"a@b"],
        "x509_common_name": [b"cn"],
    }
    assert peer_names(context) == {URI.decode(), NAME.decode(), "other.example"}


def test_peer_without_a_certificate_has_no_names() -> None:
    assert peer_names({"transport_security_type": [b"ssl"]}) == frozenset()


def test_dns_name_that_looks_like_a_uri_is_not_a_name() -> None:
    assert peer_names({"peer_dns": [URI, NAME], "peer_uri": [NAME]}) == {NAME.decode()}


def test_name_that_is_not_utf8_is_no_other_name() -> None:
    assert peer_names({"peer_dns": [b"lobby\xff.example"]}) == {"lobby\ufffd.example"}
