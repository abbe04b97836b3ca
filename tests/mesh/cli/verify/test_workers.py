"""The workers that `mesh verify` asks: named, by a pattern, or from the endpoints file of a `mesh up`."""

from __future__ import annotations

import json
import socket
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from mesh.cli.verify.workers import workers_of
from mesh.errors import Misconfigured

MODELS = ["whales", "minnows"]


@pytest.fixture
def live() -> Iterator[str]:
    """The address of a listening socket."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def endpoints(folder: Path, addresses: list[str]) -> Path:
    folder.mkdir()
    file = folder / "endpoints.json"
    served = [{"address": address, "serves": "whales.txt"} for address in addresses]  # as `mesh up` writes it
    file.write_text(json.dumps({"chess": {"v1": {"whales": served}}}))
    return file


def test_workers_are_named_or_given_by_a_pattern() -> None:
    given = ["whales=127.0.0.1:1", "whales=unix:/run/a.sock", "minnows=[::1]:2"]
    assert workers_of("chess", "v1", MODELS, given) == {
        "whales": ["127.0.0.1:1", "unix:/run/a.sock"],
        "minnows": ["[::1]:2"],
    }
    pattern = workers_of("chess", "v1", MODELS, ["chess-v1-{model}.invalid:9000"])
    assert pattern["minnows"] == ["chess-v1-minnows.invalid:9000"]  # an unknown name fails later, with the call


def test_workers_of_a_member_belong_to_all_versions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, live: str) -> None:
    pattern = workers_of("chess", "v1", MODELS, ["chess-{version}-{model}.invalid:9000"], {"whales"})
    assert pattern == {"whales": ["chess-shared-whales.invalid:9000"], "minnows": ["chess-v1-minnows.invalid:9000"]}
    folder = tmp_path / "mesh-a"
    folder.mkdir()
    shared = {"whales": [live], "pvp": ["127.0.0.1:1"]}
    (folder / "endpoints.json").write_text(json.dumps({"chess": {"shared": shared, "v1": {"minnows": [live]}}}))
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
    assert workers_of("chess", "v1", MODELS, [], {"whales"}) == {"whales": [live], "minnows": [live]}
    assert workers_of("chess", "v2", ["whales"], [], {"whales"}) == {"whales": [live]}
    assert workers_of("chess", "v1", MODELS, []) == {"minnows": [live]}  # a model with the name of a member


def test_name_with_several_addresses_stands_for_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(2, 1, 6, "", ("10.0.0.1", 9000)), (2, 1, 6, "", ("10.0.0.2", 9000)), (10, 1, 6, "", ("fd00::1", 9000))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    workers = workers_of("chess", "v1", MODELS, ["whales=chess-v1-whales:9000"])
    assert workers == {"whales": ["10.0.0.1:9000", "10.0.0.2:9000", "[fd00::1]:9000"]}


def test_endpoints_file_can_be_named(tmp_path: Path) -> None:
    file = endpoints(tmp_path / "a", ["127.0.0.1:7"])
    assert workers_of("chess", "v1", MODELS, [str(file)]) == {"whales": ["127.0.0.1:7"]}
    assert workers_of("chess", "v2", MODELS, [str(file)]) == {}
    file.write_text(json.dumps({"chess": {"v1": {"whales": ["127.0.0.1:8"]}}}))  # as a person may write it
    assert workers_of("chess", "v1", MODELS, [str(file)]) == {"whales": ["127.0.0.1:8"]}


def test_only_running_mesh_is_found_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, live: str) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert workers_of("chess", "v1", MODELS, []) == {}
    endpoints(tmp_path / "mesh-dead", ["127.0.0.1:1", "unix:/nonexistent.sock"])
    endpoints(tmp_path / "mesh-live", [live])
    assert workers_of("chess", "v1", MODELS, []) == {"whales": [live]}

    endpoints(tmp_path / "mesh-other", [live])
    with pytest.raises(Misconfigured, match=r"2 runs of `mesh up` serve chess/v1; name the file of one of them"):
        workers_of("chess", "v1", MODELS, [])


@pytest.mark.parametrize("word", ["sharks=127.0.0.1:1", "127.0.0.1:1", "whales="])
def test_wrong_word_is_reported_with_the_forms(word: str) -> None:
    with pytest.raises(Misconfigured, match="write NAME=ADDRESS with one of the models whales, minnows"):
        workers_of("chess", "v1", MODELS, [word])
