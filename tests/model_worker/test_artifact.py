from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from mesh.model_file import BadModel
from model_worker.artifact import LocalFiles, fetch


@pytest.mark.parametrize("scheme", ["", "file:", "file://"])
def test_local_file_is_read(scheme: str, tmp_path: Path) -> None:
    (path := tmp_path / "model.txt").write_bytes(b"tree\n")
    digest = hashlib.sha256(b"tree\n").hexdigest()
    artifact = fetch(LocalFiles(), f"{scheme}{path}", digest)
    with artifact.file:
        assert (artifact.model, artifact.sha256) == (b"tree\n", digest)


def test_wrong_digest_is_refused(tmp_path: Path) -> None:
    (path := tmp_path / "model.txt").write_bytes(b"tree\n")
    with pytest.raises(BadModel, match=f"its SHA-256 is .*, not {'0' * 64}"):
        fetch(LocalFiles(), str(path), "0" * 64)


def test_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadModel, match="Is a directory"):
        fetch(LocalFiles(), str(tmp_path), None)


def test_unsupported_scheme_is_refused() -> None:
    with pytest.raises(BadModel, match="gs:// is not supported: give the path of a file, or s3://BUCKET/KEY"):
        fetch(LocalFiles(), "gs://bucket/model.txt", None)
