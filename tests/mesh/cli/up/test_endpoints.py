import json
from pathlib import Path

from mesh.catalog.catalog import Model
from mesh.cli.up.endpoints import EndpointsFile
from mesh.cli.up.plan import Replica

WHALES, PVP = (Model(name=name, uri=f"{name}.txt") for name in ("whales", "pvp"))
FIRST, SECOND, OTHER = Replica("g", "1", WHALES, 0), Replica("g", "1", WHALES, 1), Replica("g", "2", PVP, 0)


def test_file_lists_every_model_with_its_serving_replicas(tmp_path: Path) -> None:
    endpoints = EndpointsFile(tmp_path / "endpoints.json", [FIRST, OTHER, SECOND])

    endpoints.put(SECOND, "127.0.0.1:2")
    endpoints.put(FIRST, "127.0.0.1:1")

    assert json.loads(endpoints.path.read_text()) == {
        "g": {"1": {"whales": ["127.0.0.1:1", "127.0.0.1:2"]}, "2": {"pvp": []}}
    }


def test_worker_that_ended_is_removed(tmp_path: Path) -> None:
    endpoints = EndpointsFile(tmp_path / "endpoints.json", [FIRST])
    endpoints.put(FIRST, "127.0.0.1:1")

    endpoints.put(FIRST, None)

    assert json.loads(endpoints.path.read_text()) == {"g": {"1": {"whales": []}}}


def test_reader_of_the_old_file_keeps_the_old_content(tmp_path: Path) -> None:
    endpoints = EndpointsFile(tmp_path / "endpoints.json", [FIRST])
    endpoints.write()
    with endpoints.path.open() as reader:
        endpoints.put(FIRST, "127.0.0.1:1")
        assert json.load(reader) == {"g": {"1": {"whales": []}}}
    assert [path.name for path in tmp_path.iterdir()] == ["endpoints.json"]
