"""The throw-away certificates of one `mesh up --tls`, and the options with which its processes use them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mesh.catalog.callers import ANYONE
from mesh.catalog.catalog import Catalog
from mesh.tls.files import TlsFiles

CLIENT = "client.mesh"  # the name of a caller for trials
_LOCAL = ("localhost", "127.0.0.1", "::1")
_ANY_HOST = ("0.0.0.0", "::")


@dataclass(frozen=True, slots=True)
class Certificates:
    """Files in `folder`, made by `make_certificates`.

    `supervisors` are the names that the workers of a game demand. `askers` name, for each game, the certificate that
    may ask for an offer.
    """

    folder: Path
    supervisors: Mapping[str, str]
    askers: Mapping[str, str]

    def supervisor_words(self) -> list[str]:
        """Returns the TLS options of the supervisor."""
        return _words(self.files("supervisor"))

    def worker_words(self, game: str) -> list[str]:
        """Returns the TLS options of a worker of `game`: its supervisors and `mesh verify` may call it."""
        names = (self.supervisors[game], verifier_of(game))
        return [*_words(self.files(f"worker-{game}")), *(f"--tls-supervisor={name}" for name in names)]

    def asker_words(self, game: str) -> list[str]:
        """Returns the TLS options of a client that may ask `game` for an offer, if there is one."""
        return _words(self.files(self.askers[game]))

    def files(self, name: str) -> TlsFiles:
        """Returns the files of a service or client."""
        return TlsFiles(self.folder / f"{name}.pem", self.folder / f"{name}.key", self.folder / "ca.pem")


def verifier_of(game: str) -> str:
    """Returns the name in the certificate with which `mesh verify` asks the workers of `game`."""
    return f"verify.{game}.mesh"


def make_certificates(folder: Path, catalogs: Sequence[Catalog], host: str) -> Certificates:
    """Makes a CA, and certificates for the processes, for `mesh verify`, for a client, and for callers with names.

    The key of the CA is not kept. The supervisor's certificate is also valid for this machine, and for `host`.
    """
    from mesh.tls.throwaway import new_authority  # here, because most meshes are plaintext

    supervisors = {catalog.game: catalog.tls.supervisor_of(catalog.game) for catalog in catalogs}
    made = Certificates(folder, supervisors, {catalog.game: _asker(catalog) or "client" for catalog in catalogs})
    authority = new_authority()
    for name, names in _names(catalogs, host).items():
        authority.write(made.files(name), names)
    return made


def without_asker(catalogs: Iterable[Catalog]) -> Iterator[str]:
    """Yields the games for which no certificate of `make_certificates` may ask for an offer."""
    for catalog in catalogs:
        if _asker(catalog) is None:
            yield catalog.game


def _asker(catalog: Catalog) -> str | None:
    """The first certificate that may ask `catalog.game` for an offer: the client's, or that of a caller."""
    callers = catalog.callers or {}
    asking = {name: caller for name, caller in callers.items() if "GetOffer" in caller.methods}
    if not callers or ANYONE in asking or any(CLIENT in caller.names for caller in asking.values()):
        return "client"
    return next((_file_of(catalog, name) for name, caller in asking.items() if caller.names), None)


def _file_of(catalog: Catalog, caller: str) -> str:
    return f"caller-{catalog.game}-{caller}"


def _names(catalogs: Sequence[Catalog], host: str) -> dict[str, Sequence[str]]:
    """The names in each certificate."""
    supervisors = [catalog.tls.supervisor_of(catalog.game) for catalog in catalogs]
    hosts = (*_LOCAL, *((host,) if host not in (*_LOCAL, *_ANY_HOST) else ()))
    return {
        "supervisor": list(dict.fromkeys((*supervisors, *hosts))),
        "client": [CLIENT],
        "verify": [CLIENT, *(verifier_of(catalog.game) for catalog in catalogs)],
        **{f"worker-{one.game}": [one.tls.worker_of(one.game)] for one in catalogs},
        **{
            _file_of(one, name): caller.names
            for one in catalogs
            for name, caller in (one.callers or {}).items()
            if caller.names
        },
    }


def _words(files: TlsFiles) -> list[str]:
    return ["--tls-cert", str(files.cert), "--tls-key", str(files.key), "--tls-ca", str(files.ca)]
