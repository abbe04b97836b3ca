"""Opens the channels of lanes, plaintext or with TLS, and says in clear words why a replica is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc

from mesh import serving

if TYPE_CHECKING:
    from mesh.tls.key_pair import KeyPair
    from mesh.tls.live import LiveTls

# gRPC's texts of failed handshakes. "Socket closed" is all that gRPC reports when the replica refuses the supervisor.
_CLOSED = ("Socket closed", "Connection reset", "Broken pipe", "Endpoint closing")
_REFUSALS = {
    "Hostname Verification Check failed": "its certificate does not have the DNS name {worker}, which the catalog "
    "requires (tls.worker)",
    "certificate has expired": "its certificate has expired, or a CA of it has; renew it",
    "certificate is not yet valid": "its certificate is not yet valid; check the clocks of both machines",
    "CERTIFICATE_VERIFY_FAILED": "its certificate is not of a CA in --tls-ca of this supervisor",
    "WRONG_VERSION_NUMBER": "its port is plaintext; start the replica with --tls-cert, --tls-key and --tls-ca",
}


class LaneChannels:
    """Opens channels to the replicas of a game: with the certificate that `tls` has at this time, or plaintext.

    With TLS, a replica must show a certificate with the DNS name `worker`.
    """

    def __init__(self, tls: LiveTls | None = None, worker: str = "") -> None:
        self._tls = tls
        self._worker = worker
        self._credentials: tuple[KeyPair, grpc.ChannelCredentials] | None = None

    @property
    def key_pair(self) -> KeyPair | None:
        """The certificate of the next channel; None if it is plaintext."""
        return None if self._tls is None else self._tls.current

    def open(self, address: str, connect_s: float) -> grpc.aio.Channel:
        """Opens a channel to a replica; its attempts to connect take at most `connect_s` each."""
        options = serving.lane_options(connect_s)
        if self._tls is None:
            return grpc.aio.insecure_channel(address, options=options)
        options.append(("grpc.ssl_target_name_override", self._worker))
        return grpc.aio.secure_channel(address, self._current_credentials(self._tls), options=options)

    def reason(self, details: str) -> str:
        """Returns the reason why a replica cannot be used; `details` is gRPC's text for it."""
        known = next((text for part, text in _REFUSALS.items() if part in details), None)
        if known is not None:
            return "TLS: " + known.format(worker=self._worker)
        if "failed to connect" in details and any(part in details for part in _CLOSED):
            return self._reason_of_closing()
        return details

    def _reason_of_closing(self) -> str:
        if self._tls is None:
            return "the replica closed the new connection: it may require TLS, and this supervisor has no --tls-cert"
        return (
            "TLS: the replica closed the new connection: it may refuse the certificate of this supervisor, because of "
            "its CA or its time; compare --tls-ca of the replica"
        )

    def _current_credentials(self, tls: LiveTls) -> grpc.ChannelCredentials:
        """All channels share one object: gRPC parses the certificates once, and keeps them once."""
        if self._credentials is None or self._credentials[0] is not tls.current:
            self._credentials = tls.current, tls.channel_credentials()
        return self._credentials[1]
