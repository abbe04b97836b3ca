"""The files of a version are read where they are, or downloaded from S3, and their digests are checked."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from mesh.catalog.catalog import Catalog
from mesh.errors import Misconfigured
from mesh.reference.local_files import with_local_files
from tests.emulators import s3

BUCKET = "local-files"


def catalog_of(**model: Any) -> Catalog:
    versions = {name: {"traffic": 50, "models": [{"name": "m", **model}]} for name in ("v1", "v2")}
    return Catalog.model_validate({"game": "g", "features": {"path": "p"}, "versions": versions})


def test_objects_on_s3_are_downloaded(s3_store: s3.S3, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    s3.use(monkeypatch, s3_store.endpoint)
    s3_store.make_bucket(BUCKET)
    for key, content in (("v1/m.txt", b"model"), ("v1/m.golden.jsonl", b"rows")):
        s3_store.put(BUCKET, key, content)
    golden = f"s3://{BUCKET}/v1/m.golden.jsonl"
    local = with_local_files(catalog_of(uri=f"s3://{BUCKET}/v1/m.txt", golden=golden), "v1", tmp_path)

    assert list(local.versions) == ["v1"]
    (model,) = local.versions["v1"].models
    assert Path(model.uri).read_bytes() == b"model"
    assert Path(model.golden or "").read_bytes() == b"rows"

    with pytest.raises(Misconfigured, match=f"s3://{BUCKET}/ghost.txt: no such key"):
        with_local_files(catalog_of(uri=f"s3://{BUCKET}/ghost.txt"), "v1", tmp_path)


def test_other_content_than_the_catalog_says_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "m.txt"
    file.write_bytes(b"model")
    digest = hashlib.sha256(b"model").hexdigest()
    assert with_local_files(catalog_of(uri=str(file), sha256=digest), "v2", tmp_path)
    with pytest.raises(Misconfigured, match=f"m: {file}: its SHA-256 is {digest}, not 0000"):
        with_local_files(catalog_of(uri=str(file), sha256="0" * 64), "v1", tmp_path)
    with pytest.raises(Misconfigured, match="m: nowhere: No such file or directory"):
        with_local_files(catalog_of(uri="nowhere"), "v1", tmp_path)
