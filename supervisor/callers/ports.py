"""What the callers of a catalog need of the supervisor's ports."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from mesh.catalog.catalog import Catalog
from mesh.errors import Misconfigured

_log = logging.getLogger("supervisor.callers")


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports of a supervisor. Without TLS, its only port is plaintext."""

    has_tls: bool
    has_token_port: bool

    def check(self, catalog: Catalog) -> None:
        """Raises Misconfigured if the callers of `catalog` cannot be recognised at these ports.

        Peers of the token port show no certificate. A game without callers is open to every peer there: this is logged.
        """
        if catalog.callers is None:
            if self.has_token_port:
                fix = "name its callers, or remove --token-port"
                _log.warning(
                    "%s: has no `callers`, so every peer of --token-port may ask for it; %s", catalog.game, fix
                )
            return
        faults = []
        named = [name for name, caller in catalog.callers.items() if caller.names]
        if named and not self.has_tls:
            problem = "is recognised by certificate, but the supervisor has no TLS, where only `anyone` can call"
            fix = "start it with --tls-cert, --tls-key and --tls-ca (on one machine: mesh up --tls)"
            faults.append(f"{catalog.game}: callers.{named[0]}.names: {problem}; {fix}")
        with_token = [name for name, caller in catalog.callers.items() if caller.token_sha256]
        if with_token and not self.has_token_port:
            problem = "is recognised by token, but the supervisor has no port for tokens"
            fix = "start it with --token-port and TLS (on one machine: mesh up --tls)"
            faults.append(f"{catalog.game}: callers.{with_token[0]}.token_sha256: {problem}; {fix}")
        if faults:
            raise Misconfigured(faults)
