from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from model_worker.kept_proofs import KeptProof, NoStore, ProofFolder, ProofStore, decode, encode
from model_worker.proof_facts import ProofFacts

FACTS = ProofFacts(model="m", engine="e", lightgbm="l", proof="p", system="s", cpu="c")
PASSED = KeptProof(None)
UNSUPPORTED = KeptProof("linear trees")


class Reports(list[str]):
    """The sentences that a folder reported."""


def folder_of(
    folder: Path | str, facts: ProofFacts = FACTS, trusted: Path | str = "", reports: list[str] | None = None
) -> ProofFolder:
    report = (Reports() if reports is None else reports).append
    return ProofFolder(str(folder), str(trusted), facts, report)


def path_in(folder: Path, facts: ProofFacts = FACTS) -> Path:
    return folder / f"{facts.key}.json"


@pytest.mark.parametrize("proof", [PASSED, UNSUPPORTED])
def test_written_proof_is_read_again(proof: KeptProof, tmp_path: Path) -> None:
    reports: list[str] = []
    store = folder_of(tmp_path / "new" / "proofs", reports=reports)
    assert store.read() is None
    store.write(proof)
    assert store.read() == proof
    assert reports == []
    assert not [path for path in (tmp_path / "new" / "proofs").iterdir() if path.name.endswith(".new")]


@pytest.mark.parametrize("field", ProofFacts._fields)
def test_proof_of_another_fact_is_neither_found_nor_trusted_under_the_key_of_this_one(
    field: str, tmp_path: Path
) -> None:
    other, reports = FACTS._replace(**{field: "other"}), list[str]()
    folder_of(tmp_path, other).write(PASSED)
    assert folder_of(tmp_path, reports=reports).read() is None
    assert reports == []
    path_in(tmp_path, other).rename(path_in(tmp_path))
    assert folder_of(tmp_path, reports=reports).read() is None
    assert len(reports) == 1
    assert "not the proof of this model" in reports[0]


def test_facts_that_are_joined_differently_have_different_keys() -> None:
    assert FACTS._replace(model="me", engine="").key != FACTS.key


def cut(data: bytes) -> list[bytes]:
    return [data[:length] for length in range(len(data))]


def flipped(data: bytes) -> list[bytes]:
    return [data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :] for place in range(len(data))]


def foreign(data: bytes) -> list[bytes]:
    return [
        data + b"\n", data + data, b" " + data, b"", b"\n\n", b"null\n", b"[]\n", b"1\n", b"{}\n",
        b'{"objection":null}\n', b"[" * 60_000, b"\xff\xfe" * 100,
        data.replace(b"null", b"1.5"), data.replace(b"null", b'""'),
    ]  # fmt: skip


@pytest.mark.parametrize("damage", [cut, flipped, foreign])
def test_damaged_proof_is_not_trusted(damage: Callable[[bytes], list[bytes]]) -> None:
    data = encode(FACTS, PASSED)
    assert decode(FACTS, data) == PASSED
    assert [decode(FACTS, copy) for copy in damage(data)] == [None] * len(damage(data))


def test_damaged_file_is_reported_once_and_replaced_by_the_next_proof(tmp_path: Path) -> None:
    reports: list[str] = []
    store = folder_of(tmp_path, reports=reports)
    store.write(PASSED)
    path_in(tmp_path).write_bytes(path_in(tmp_path).read_bytes()[:50])
    assert store.read() is None
    assert len(reports) == 1
    assert str(path_in(tmp_path)) in reports[0]
    store.write(PASSED)
    assert store.read() == PASSED


def test_objection_cannot_be_changed_into_a_proof_that_passed(tmp_path: Path) -> None:
    store = folder_of(tmp_path)
    store.write(UNSUPPORTED)
    path = path_in(tmp_path)
    path.write_bytes(path.read_bytes().replace(b'"linear trees"', b"null"))
    assert store.read() is None


@pytest.mark.parametrize("mode", [0o664, 0o646, 0o666])
def test_file_that_others_may_write_is_not_trusted(mode: int, tmp_path: Path) -> None:
    reports: list[str] = []
    store = folder_of(tmp_path, reports=reports)
    store.write(PASSED)
    path_in(tmp_path).chmod(mode)
    assert store.read() is None
    assert "other users may write it" in reports[0]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
def test_file_of_another_user_is_trusted_only_in_the_folder_that_the_operator_named(tmp_path: Path) -> None:
    reports: list[str] = []
    store = folder_of(tmp_path, reports=reports)
    store.write(PASSED)
    os.chown(path_in(tmp_path), 65_534, 65_534)
    assert store.read() is None
    assert "its owner is the user 65534" in reports[0]
    assert folder_of("", trusted=tmp_path).read() == PASSED


@pytest.mark.parametrize("kind", ["symlink", "folder", "fifo"])
def test_only_a_regular_file_is_trusted(kind: str, tmp_path: Path) -> None:
    reports: list[str] = []
    store, path = folder_of(tmp_path, reports=reports), path_in(tmp_path)
    if kind == "symlink":
        folder_of(tmp_path / "other").write(PASSED)
        path.symlink_to(path_in(tmp_path / "other"))
    elif kind == "folder":
        path.mkdir()
    else:
        os.mkfifo(path, 0o600)
    assert store.read() is None
    assert len(reports) == 1
    if kind == "fifo":
        assert "it is not a regular file" in reports[0]


def test_written_file_is_not_writable_by_others_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        folder_of(tmp_path).write(PASSED)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path_in(tmp_path).stat().st_mode) == 0o644


def test_trusted_folder_is_read_but_not_written(tmp_path: Path) -> None:
    own, trusted = tmp_path / "own", tmp_path / "trusted"
    folder_of(trusted).write(UNSUPPORTED)
    before = sorted(trusted.iterdir())
    store = folder_of(own, trusted=trusted)
    assert store.read() == UNSUPPORTED
    store.write(PASSED)
    assert store.read() == PASSED
    assert sorted(trusted.iterdir()) == before


def test_damaged_file_of_the_trusted_folder_is_not_trusted(tmp_path: Path) -> None:
    folder_of(tmp_path).write(PASSED)
    path_in(tmp_path).write_bytes(b"{}")
    assert folder_of("", trusted=tmp_path).read() is None


def test_folder_that_cannot_be_written_is_reported_and_does_not_stop_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    reports: list[str] = []
    store = folder_of(tmp_path / "file" / "proofs", reports=reports)
    turn = store.take_turn()
    assert turn is not None
    store.write(PASSED)
    turn.release()
    store.wait_for_turn(0)
    assert len(reports) == 1
    assert "the proof is not kept" in reports[0]


def test_without_a_folder_nothing_is_kept() -> None:
    store: ProofStore = NoStore()
    store.write(PASSED)
    assert store.read() is None
    assert store.take_turn() is not None


@contextmanager
def another_worker(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Runs a process that has the turn; at the end of its stdin it writes the proof."""
    script = (
        "import sys\n"
        "from tests.model_worker.test_kept_proofs import PASSED, folder_of\n"
        "store = folder_of(sys.argv[1])\n"
        "assert (turn := store.take_turn())\n"
        "print('has the turn', flush=True)\n"
        "sys.stdin.read()\n"
        "store.write(PASSED)\n"
        "turn.release()\n"
    )
    command = [sys.executable, "-c", script, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"has the turn\n"
        try:
            yield process
        finally:
            process.kill()


def test_only_one_worker_has_the_turn_and_the_wait_for_it_is_bounded(tmp_path: Path) -> None:
    store = folder_of(tmp_path)
    with another_worker(tmp_path):
        assert store.take_turn() is None
        store.wait_for_turn(0.01)
        assert folder_of(tmp_path, FACTS._replace(model="other")).take_turn() is not None
    assert store.take_turn() is not None


def test_worker_waits_for_the_proof_of_another_one(tmp_path: Path) -> None:
    store, found = folder_of(tmp_path), list[KeptProof | None]()

    def wait() -> None:
        store.wait_for_turn(60)
        found.append(store.read())

    with another_worker(tmp_path) as process:
        (waiting := threading.Thread(target=wait)).start()
        waiting.join(0.2)
        assert waiting.is_alive()
        assert process.stdin is not None
        process.stdin.close()
        waiting.join(60)
    assert found == [PASSED]
