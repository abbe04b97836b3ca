"""Finds the files of logged models by their SHA-256: in a folder, by catalogs, or at the address in the log."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from mesh.block import HAS_SCHEME
from mesh.catalog.catalog import Catalog
from mesh.decisions.side_files import LoggedModel
from mesh.errors import Misconfigured
from mesh.reference.local_files import download
from mesh.s3 import address as s3_address
from mesh.sha256 import sha256_of

_OPTIONS = "give a folder that has the file with --models DIR, or a catalog that names it with --catalog FILE"


def find_models(
    models: Iterable[LoggedModel], catalogs: Sequence[Catalog], folder: Path | None, downloads: Path
) -> dict[str, Path]:
    """Returns the file of each of `models` by its SHA-256, which is verified.

    Looks into `folder` and below it, then at the models of `catalogs`, and at the address in the log. Objects on S3 are
    downloaded into the folder `downloads`. Raises Misconfigured with a fault for each model without a file.
    """
    wanted = {model.sha256: model for model in models if model.layout}
    found: dict[str, Path] = {}
    places = (_files_below(folder), _files_of(catalogs), (Path(model.uri) for model in wanted.values()))
    for files in places:
        _collect(wanted, found, files)
    _collect(wanted, found, _downloaded(wanted, found, catalogs, downloads))
    faults = [_fault(model) for sha256, model in wanted.items() if sha256 not in found]
    if faults:
        raise Misconfigured(faults)
    return found


def _collect(wanted: Iterable[str], found: dict[str, Path], files: Iterable[Path]) -> None:
    """Adds the files with a wanted digest; stops when all are found."""
    missing = set(wanted) - found.keys()
    for path in files if missing else ():
        digest = _digest(path)
        if digest in missing:
            found[digest] = path
            missing.remove(digest)
            if not missing:
                return


def _digest(path: Path) -> str | None:
    try:
        return sha256_of(path)
    except OSError:  # missing, a folder, or not readable: reported with the model
        return None


def _files_below(folder: Path | None) -> Iterator[Path]:
    if folder is None:
        return
    if not folder.is_dir():
        raise Misconfigured([f"--models {folder}: is not a folder; give the folder with the model files"])
    yield from sorted(path for path in folder.rglob("*") if path.is_file())


def _files_of(catalogs: Sequence[Catalog]) -> Iterator[Path]:
    return (Path(uri) for uri, _ in _addresses(catalogs) if not HAS_SCHEME.match(uri))


def _addresses(catalogs: Sequence[Catalog]) -> Iterator[tuple[str, str | None]]:
    """Yields the address and the digest, if the catalog has one, of each model of `catalogs`."""
    for catalog in catalogs:
        versions = (model for version in catalog.versions.values() for model in version.models)
        yield from dict.fromkeys((model.uri, model.sha256) for model in (*catalog.members, *versions))


def _downloaded(
    wanted: dict[str, LoggedModel], found: dict[str, Path], catalogs: Sequence[Catalog], downloads: Path
) -> list[Path]:
    missing = wanted.keys() - found.keys()
    named = [uri for uri, sha256 in _addresses(catalogs) if sha256 in missing]
    logged = [wanted[sha256].uri for sha256 in wanted if sha256 in missing]
    addresses = [uri for uri in (*named, *logged) if uri.startswith(s3_address.SCHEME)]
    try:
        return list(map(Path, download(addresses, downloads).values())) if addresses else []
    except Misconfigured as error:
        raise Misconfigured([*error.faults, f"the models of the log were not found; {_OPTIONS}"]) from error


def _fault(model: LoggedModel) -> str:
    if not model.sha256:
        return f"{model.name}: the log does not have the SHA-256 of its file ({model.uri}); it cannot be replayed"
    state = "has another SHA-256 now" if Path(model.uri).is_file() else "is not on this machine"
    state = "has another SHA-256 now" if model.uri.startswith(s3_address.SCHEME) else state
    return f"{model.name}: no file has the SHA-256 {model.sha256} of the log: {model.uri} {state}; {_OPTIONS}"
