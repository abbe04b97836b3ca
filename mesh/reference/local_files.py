"""The files of a version on this machine: downloads those that are on S3, and checks the digests."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from mesh.catalog.catalog import Catalog
from mesh.catalog.version import Model
from mesh.errors import Misconfigured
from mesh.s3 import address as s3_address
from mesh.s3.client import BadSettings, connect
from mesh.s3.content import content_of

FETCH_S = 90.0  # for all files of one call
MAX_FILE_BYTES = 2**30  # as the default of a worker
_NAME_CHARACTERS = 60
_ATTEMPTS = 4


def with_local_files(catalog: Catalog, version: str, folder: Path) -> Catalog:
    """Returns `catalog` with this version only, whose models and golden rows are files; `folder` gets the downloads.

    Raises Misconfigured with all files that cannot be read, or that have another digest than the catalog says.
    """
    ensemble = catalog.versions[version]
    addresses = [uri for model in ensemble.models for uri in _files(model) if uri.startswith(s3_address.SCHEME)]
    paths = download(addresses, folder) if addresses else {}
    models = tuple(_local(model, paths) for model in ensemble.models)
    if faults := [fault for model in models for fault in _digest_faults(model)]:
        raise Misconfigured(faults)
    return catalog.model_copy(update={"versions": {version: ensemble.model_copy(update={"models": models})}})


def download(addresses: Sequence[str], folder: Path) -> dict[str, str]:
    """Downloads the objects at `addresses` into `folder`; returns their paths by address. Raises Misconfigured."""
    return asyncio.run(_download(addresses, folder))


def _files(model: Model) -> Iterator[str]:
    yield model.uri
    if model.golden is not None:
        yield model.golden


def _local(model: Model, paths: dict[str, str]) -> Model:
    golden = None if model.golden is None else paths.get(model.golden, model.golden)
    return model.model_copy(update={"uri": paths.get(model.uri, model.uri), "golden": golden})


def _digest_faults(model: Model) -> Iterator[str]:
    for file, sha256 in ((model.uri, model.sha256), (model.golden, model.golden_sha256)):
        if file is None:
            continue
        try:
            actual = hashlib.sha256(Path(file).read_bytes()).hexdigest()
        except OSError as error:
            yield f"{model.name}: {file}: {error.strerror or error}; correct the path in the catalog"
            continue
        if sha256 is not None and actual != sha256:
            problem = f"{model.name}: {file}: its SHA-256 is {actual}, not {sha256}"
            yield f"{problem}; restore the file, or correct the catalog"


async def _download(addresses: Sequence[str], folder: Path) -> dict[str, str]:
    paths = {}
    try:
        async with asyncio.timeout(FETCH_S), connect(_ATTEMPTS) as client:
            for number, uri in enumerate(dict.fromkeys(addresses)):
                path = folder / f"{number}-{uri.rpartition('/')[2][-_NAME_CHARACTERS:]}"
                path.write_bytes(await content_of(client, uri, MAX_FILE_BYTES))
                paths[uri] = str(path)
    except BadSettings as error:
        raise Misconfigured([str(error)]) from error
    except TimeoutError:
        raise Misconfigured([f"the files were not downloaded within {FETCH_S:g} s"]) from None
    return paths
