"""`mesh publish` against moto's S3."""

from __future__ import annotations

import hashlib
import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from mesh.cli.main import main
from mesh.s3 import upload
from mesh.s3.address import ObjectAddress
from tests.emulators import s3
from tests.forests import TrainedForest, train

KINDS = ("binary", "missing_nan", "multiclass")


@pytest.fixture(scope="module")
def forests(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, TrainedForest]:
    folder = tmp_path_factory.mktemp("forests")
    return {kind: train(kind, folder) for kind in KINDS}


class Publisher:
    """A folder with models, its own bucket, and the command."""

    def __init__(self, folder: Path, store: s3.S3, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.store = store
        self.bucket = folder.parent.name.replace("_", "-")[-60:].strip("-")
        self.capsys = capsys
        store.make_bucket(self.bucket)

    @property
    def to(self) -> str:
        return f"s3://{self.bucket}/arena/v1"

    def publish(self, *flags: str, to: str = "") -> tuple[int, str, str]:
        """Exit code, stdout, stderr."""
        code = main(["publish", str(self.folder), "--to", to or self.to, *flags])
        printed = self.capsys.readouterr()
        return code, printed.out, printed.err

    def object(self, name: str) -> bytes | None:
        return self.store.get(self.bucket, f"arena/v1/{name}")


@pytest.fixture
def publisher(
    tmp_path: Path,
    s3_store: s3.S3,
    forests: Mapping[str, TrainedForest],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Publisher:
    s3.use(monkeypatch, s3_store.endpoint)
    (folder := tmp_path / "v1").mkdir()
    for forest in forests.values():
        shutil.copy(forest.path, folder)
    (folder / "notes.md").write_text("trained on Monday")
    return Publisher(folder, s3_store, capsys)


def sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_models_are_uploaded_and_their_catalog_entries_are_printed(publisher: Publisher) -> None:
    code, out, err = publisher.publish()

    assert code == 0
    assert yaml.safe_load(out) == {
        "models": [
            {
                "name": kind.replace("_", "-"),
                "uri": f"{publisher.to}/{kind}.txt",
                "sha256": sha256_of(publisher.folder / f"{kind}.txt"),
            }
            for kind in KINDS
        ]
    }
    for kind in KINDS:
        assert publisher.object(f"{kind}.txt") == (publisher.folder / f"{kind}.txt").read_bytes()
    assert publisher.object("notes.md") is None
    assert err.splitlines() == [
        f"uploaded {publisher.to}/binary.txt",
        f"uploaded {publisher.to}/missing_nan.txt",
        f"uploaded {publisher.to}/multiclass.txt",
        "multiclass has 3 classes; add `class: N` to its entry, N from 0 to 2",
    ]


def test_json_output_is_one_line(publisher: Publisher) -> None:
    code, out, err = publisher.publish("--json")

    assert (code, err, out.count("\n")) == (0, "", 1)
    event = json.loads(out)
    assert event["event"] == "published"
    assert event["models"][0] == {
        "name": "binary",
        "uri": f"{publisher.to}/binary.txt",
        "sha256": sha256_of(publisher.folder / "binary.txt"),
        "outcome": "uploaded",
        "size_bytes": (publisher.folder / "binary.txt").stat().st_size,
        "classes": 1,
    }


def test_unchanged_objects_are_not_uploaded_again(publisher: Publisher) -> None:
    first = publisher.publish()
    _, out, err = publisher.publish(to=f"{publisher.to}/")

    assert out == first[1]
    assert [line.split()[0] for line in err.splitlines()[:3]] == ["unchanged"] * 3


def test_different_content_is_overwritten_only_with_force(publisher: Publisher) -> None:
    publisher.publish()
    before = publisher.object("binary.txt")
    shutil.copy(publisher.folder / "missing_nan.txt", publisher.folder / "binary.txt")

    code, out, err = publisher.publish()
    assert (code, out) == (2, "")
    place = f"{publisher.to}/binary.txt"
    assert err == f"{place}: exists with different content; publish to another prefix, or use --force to replace it\n"
    assert publisher.object("binary.txt") == before

    code, _, err = publisher.publish("--force")
    assert (code, err.splitlines()[0]) == (0, f"replaced {place}")
    assert publisher.object("binary.txt") == publisher.object("missing_nan.txt") != before


def test_object_without_a_digest_is_not_overwritten(publisher: Publisher) -> None:
    publisher.store.put(publisher.bucket, "arena/v1/binary.txt", b"by hand")
    assert publisher.publish()[0] == 2
    assert publisher.object("binary.txt") == b"by hand"


def test_concurrent_upload_is_not_overwritten(publisher: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    digest_in_s3 = upload._published_sha256

    async def digest_before_another_upload(client: object, address: ObjectAddress) -> str | None:
        found = await digest_in_s3(client, address)
        if found is None:
            publisher.store.put(address.bucket, address.key, b"by hand")
        return found

    monkeypatch.setattr(upload, "_published_sha256", digest_before_another_upload)
    assert publisher.publish()[0] == 2
    assert publisher.object("binary.txt") == b"by hand"


def test_nothing_is_uploaded_if_one_file_is_not_a_model(publisher: Publisher) -> None:
    (publisher.folder / "broken.txt").write_text("tree\n")
    (publisher.folder / "readme.txt").write_text("hello")
    (publisher.folder / "Missing-NaN.txt").write_bytes((publisher.folder / "missing_nan.txt").read_bytes())
    (publisher.folder / "wh ales.txt").write_bytes((publisher.folder / "missing_nan.txt").read_bytes())

    code, out, err = publisher.publish()

    assert (code, out) == (2, "")
    broken, readme, twice, spaces = err.splitlines()
    assert broken.startswith(f"{publisher.folder}/broken.txt: ")
    assert readme.endswith(
        "does not start with the line 'tree'; replace the file, or move it to another folder if it is not a model"
    )
    assert "'missing-nan' is already the name of" in twice
    assert "'wh ales' is not a valid model name; use lower-case letters" in spaces
    assert publisher.object("binary.txt") is None


@pytest.mark.parametrize("to", ["models/v1", "s3://", "gs://models/v1"])
def test_malformed_s3_address_is_reported(to: str, publisher: Publisher) -> None:
    assert publisher.publish(to=to) == (2, "", f"--to {to}: not an S3 address; write s3://BUCKET/PREFIX\n")


def test_bucket_without_a_prefix_is_accepted(publisher: Publisher) -> None:
    assert publisher.publish(to=f"s3://{publisher.bucket}")[0] == 0
    assert publisher.store.get(publisher.bucket, "binary.txt") is not None


def test_folder_without_models_is_reported(publisher: Publisher, tmp_path: Path) -> None:
    publisher.folder = tmp_path
    assert (
        publisher.publish()[2] == f"{tmp_path}: contains no .txt file; save the models there with Booster.save_model\n"
    )
    publisher.folder = tmp_path / "ghost"
    assert publisher.publish()[2] == f"{tmp_path}/ghost: No such file or directory; give the folder of a version\n"


def test_missing_bucket_is_reported(publisher: Publisher) -> None:
    code, out, err = publisher.publish(to="s3://no-bucket-of-ours/v1")
    assert (code, out) == (1, "")
    assert err.splitlines()[0].startswith("s3://no-bucket-of-ours/v1/binary.txt: no such bucket: ")


def test_missing_credentials_are_reported(publisher: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    s3.without_credentials(monkeypatch)
    code, _, err = publisher.publish()
    assert (code, "there are no credentials for S3: set AWS_PROFILE" in err) == (1, True)


def test_missing_profile_is_reported(publisher: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "no-such-profile")
    code, _, err = publisher.publish()
    assert (code, err.count("\n"), "the AWS settings for S3 are invalid" in err) == (2, 1, True)


def test_unreachable_store_is_reported(publisher: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        endpoint = f"http://127.0.0.1:{closed.getsockname()[1]}"
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", endpoint)
    monkeypatch.setattr("mesh.cli.publish.uploads._ATTEMPTS", 1)
    code, _, err = publisher.publish()
    assert (code, f"cannot connect to {endpoint}" in err) == (1, True)


def test_ctrl_c_ends_the_command_without_a_message(publisher: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{silent.getsockname()[1]}")
        command = [sys.executable, "-m", "mesh.cli.main", "publish", str(publisher.folder), "--to", publisher.to]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            connection, _ = silent.accept()
            with connection:
                process.send_signal(2)
                out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (130, "", "")


def test_proofs_of_the_models_are_kept_in_a_folder(publisher: Publisher, tmp_path: Path) -> None:
    code, out, err = publisher.publish("--proofs", str(tmp_path / "proofs"))

    assert code == 0
    assert len(list((tmp_path / "proofs").glob("*.json"))) == len(KINDS)
    assert "warning" not in err
    assert len(yaml.safe_load(out)["models"]) == len(KINDS)


def test_model_that_no_worker_would_serve_is_not_uploaded(publisher: Publisher) -> None:
    path = publisher.folder / "binary.txt"
    path.write_bytes(path.read_bytes().replace(b"left_child=", b"left_child=7 ", 1))
    code, _, err = publisher.publish()

    assert code == 2
    assert f"{path}: the file is damaged" in err
    assert publisher.object("multiclass.txt") is None


def test_folder_of_proofs_that_cannot_be_written_is_reported(publisher: Publisher, tmp_path: Path) -> None:
    (file := tmp_path / "file").write_text("")
    code, _, err = publisher.publish("--proofs", str(file / "proofs"))

    assert code == 0
    assert err.count("the proof is not kept") == len(KINDS)


@pytest.mark.parametrize("name", ["1e5", "25921e05", "y", "n", "null", "2026-10-01", "0o7", "12"])
def test_catalog_with_the_printed_lines_is_read_back(publisher: Publisher, tmp_path: Path, name: str) -> None:
    (publisher.folder / "binary.txt").rename(publisher.folder / f"{name}.txt")
    code, out, _ = publisher.publish("--quick")
    assert code == 0
    lines = "".join(f"    {line}\n" for line in out.splitlines() if "multiclass" not in line)
    (file := tmp_path / "mesh.yaml").write_text(
        f"game: g\nfeatures: {{store: dynamodb, table: players, region: eu-west-1}}\nversions:\n  v1:\n{lines}"
    )
    assert main(["catalog", "check", str(file)]) == 0, publisher.capsys.readouterr().err


def test_quick_publish_makes_no_proofs(publisher: Publisher, tmp_path: Path) -> None:
    code, _, err = publisher.publish("--quick", "--proofs", str(tmp_path / "proofs"))
    assert (code, err) == (2, "--quick makes no proofs, but --proofs keeps them; give one of the two options\n")
