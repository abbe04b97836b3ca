"""Peers on open connections after a change of the CAs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from mesh.tls import trust as trust_module
from mesh.tls.live import LiveTls
from mesh.tls.trust import Trust
from tests.mesh.tls.certificates import Holder, Wish, authority, issue, pem, write

CA, NEW_CA = authority(), authority("new CA")


class Server:
    """A server whose CA file changes."""

    def __init__(self, folder: Path) -> None:
        self._own = issue(CA)
        self._folder = folder
        self.tls = LiveTls(write(folder, self._own, CA))
        self.trust = Trust(self.tls)

    def change(self, *authorities: Holder) -> None:
        write(self._folder, self._own, *authorities)
        self.tls.reload()


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path)


def context(holder: Holder) -> Mapping[str, Iterable[bytes]]:
    """gRPC's auth context of a peer."""
    chain = {"x509_pem_cert_chain": [pem(*holder.chain)]} if holder.chain else {}
    return {"x509_pem_cert": [pem(holder.certificate)], **chain}


def test_peer_is_accepted_until_its_ca_is_removed(server: Server) -> None:
    old, new = context(issue(CA)), context(issue(NEW_CA))
    assert server.trust.accepts(old)
    server.change(CA, NEW_CA)
    assert (server.trust.accepts(old), server.trust.accepts(new)) == (True, True)
    server.change(NEW_CA)
    assert (server.trust.accepts(old), server.trust.accepts(new)) == (False, True)
    server.change(CA)
    assert (server.trust.accepts(old), server.trust.accepts(new)) == (True, False)


def test_peer_with_intermediates_is_judged_by_its_root(server: Server) -> None:
    middle = issue(issue(CA, Wish("intermediate", is_ca=True)), Wish("second intermediate", is_ca=True))
    peer = issue(middle)
    assert len(peer.chain) == 2
    server.change(NEW_CA, CA)
    assert server.trust.accepts(context(peer))
    server.change(NEW_CA)
    assert not server.trust.accepts(context(peer))


def test_peer_without_a_certificate_is_not_accepted_after_a_change(server: Server) -> None:
    server.change(NEW_CA)
    assert not server.trust.accepts({})


def test_only_connections_of_a_removed_ca_are_lost(server: Server) -> None:
    old, new = context(issue(CA)), context(issue(NEW_CA))
    with server.trust.held(old) as first, server.trust.held(old) as second, server.trust.held(new) as third:
        server.change(CA, NEW_CA)
        assert [lost.is_set() for lost in (first, second, third)] == [False, False, False]
        server.change(NEW_CA)
        assert [lost.is_set() for lost in (first, second, third)] == [True, True, False]


def test_connection_that_ended_is_forgotten(server: Server) -> None:
    with server.trust.held(context(issue(CA))) as lost:
        pass
    server.change(NEW_CA)
    assert not lost.is_set()
    assert server.trust._held == {}


def test_new_certificate_of_the_server_alone_changes_nothing(server: Server, tmp_path: Path) -> None:
    with server.trust.held(context(issue(NEW_CA))) as lost:
        write(tmp_path, issue(CA), CA)
        server.tls.reload()
        assert not lost.is_set()


def test_known_peers_are_bounded(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trust_module, "MAX_KNOWN", 4)
    server.change(CA, NEW_CA)
    for _ in range(9):
        assert server.trust.accepts(context(issue(CA)))
    assert len(server.trust._accepted) <= 4
