import json
from pathlib import Path

from mesh.catalog.catalog import Model
from mesh.cli.up.endpoints import EndpointsFile
from mesh.cli.up.plan import Seat

WHALES, PVP = (Model(name=name, uri=f"{name}.txt") for name in ("whales", "pvp"))
FIRST, SECOND, OTHER = Seat("g", "1", WHALES, 0), Seat("g", "1", WHALES, 1), Seat("g", "2", PVP, 0)


def test_every_model_is_listed_with_the_replicas_that_serve(tmp_path: Path) -> None:
    endpoints = EndpointsFile(tmp_path / "endpoints.json", [FIRST, OTHER, SECOND])

    endpoints.put(SECOND, "127.0.0.1:2")
    endpoints.put(FIRST, "127.0.0.1:1")

    assert json.loads(endpoints.path.read_text()) == {
        "g": {"1": {"whales": ["127.0.0.1:1", "127.0.0.1:2"]}, "2": {"pvp": []}}
    }


def test_a_worker_that_is_gone_is_taken_off(tmp_path: Path) -> None:
    endpoints = EndpointsFile(tmp_path / "endpoints.json", [FIRST])
    endpoints.put(FIRST, "127.0.0.1:1")

    endpoints.put(FIRST, None)

    assert json.loads(endpoints.path.read_text()) == {"g": {"1": {"whales": []}}}


def test_a_reader_of_the_old_file_is_not_disturbed(tmp_path: Path) -> None:
    endpoints = EndpointsFile(tmp_path / "endpoints.json", [FIRST])
    endpoints.write()
    with endpoints.path.open() as reader:
        endpoints.put(FIRST, "127.0.0.1:1")
        assert json.load(reader) == {"g": {"1": {"whales": []}}}
    assert [path.name for path in tmp_path.iterdir()] == ["endpoints.json"]
