import json
from pathlib import Path
from typing import Any

from mesh.catalog.version import Model
from mesh.cli.up.child import Child
from mesh.cli.up.endpoints import EndpointsFile
from mesh.cli.up.plan import Replica
from mesh.cli.up.worker import Worker

WHALES, PVP = (Model(name=name, uri=f"{name}.txt") for name in ("whales", "pvp"))
NEW_WHALES = Model(name="whales", uri="new.txt", sha256="a" * 64, categories=("region", "tier"))


def worker(version: str, model: Model, port: int | None) -> Worker:
    """A worker; one without a port does not serve."""
    watcher: Any = None
    child = Child("child", lambda _: [], Path("log"), watcher)
    child.ready = None if port is None else {"port": port}
    return Worker(Replica("g", version, model, 0), [], child, Path("inputs.json"))


def serving(port: int, serves: str) -> dict[str, str]:
    return {"address": f"127.0.0.1:{port}", "serves": serves}


def test_file_lists_every_model_with_its_serving_replicas_and_what_they_serve(tmp_path: Path) -> None:
    endpoints = EndpointsFile(tmp_path / "endpoints.json")

    endpoints.write([worker("1", WHALES, 1), worker("2", PVP, None), worker("1", NEW_WHALES, 2)])

    new = f"new.txt sha256 {'a' * 64} categories region,tier"
    assert json.loads(endpoints.path.read_text()) == {
        "g": {"1": {"whales": [serving(1, "whales.txt"), serving(2, new)]}, "2": {"pvp": []}}
    }


def test_file_that_stays_the_same_is_not_replaced(tmp_path: Path) -> None:
    endpoints = EndpointsFile(tmp_path / "endpoints.json")
    endpoints.write([worker("1", WHALES, 1)])
    before = endpoints.path.stat().st_ino

    endpoints.write([worker("1", WHALES, 1)])

    assert endpoints.path.stat().st_ino == before


def test_reader_of_the_old_file_keeps_the_old_content(tmp_path: Path) -> None:
    endpoints = EndpointsFile(tmp_path / "endpoints.json")
    endpoints.write([worker("1", WHALES, None)])
    with endpoints.path.open() as reader:
        endpoints.write([worker("1", WHALES, 1)])
        assert json.load(reader) == {"g": {"1": {"whales": []}}}
    assert [path.name for path in tmp_path.iterdir()] == ["endpoints.json"]
