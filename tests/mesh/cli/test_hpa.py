"""`mesh hpa replay` and `mesh hpa explain`."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from mesh.cli.main import main

RECORDED = Path(__file__).parents[2] / "autoscaling" / "traces" / "trace-001.json.gz"


def trace(folder: Path, **fields: Any) -> Path:
    """The first recorded trace as plain JSON, with `fields` in the place of its own."""
    file = folder / "trace.json"
    file.write_text(json.dumps({**json.loads(gzip.decompress(RECORDED.read_bytes())), **fields}))
    return file


def ticks(change: dict[str, Any]) -> list[Any]:
    """The recorded ticks, with `change` in what the first one decided."""
    found = json.loads(gzip.decompress(RECORDED.read_bytes()))["ticks"]
    return [{"in": found[0]["in"], "out": {**found[0]["out"], **change}}, *found[1:]]


def test_a_trace_that_is_decided_alike_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["hpa", "replay", str(RECORDED)]) == 0
    assert capsys.readouterr().out.startswith("no difference in ")


def test_each_difference_is_a_row(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = trace(tmp_path, ticks=ticks({"spec_replicas": 99}))
    assert main(["hpa", "replay", str(file), str(RECORDED)]) == 1
    _, row, sum_ = capsys.readouterr().out.splitlines()
    assert row.split() == ["trace.json", "spec_replicas", "99", "2", "15"]
    assert sum_.startswith("1 difference in ")
    assert sum_.endswith("of 2 traces")


def test_a_difference_where_the_recording_is_in_doubt_is_told_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second, *rest = ticks({"spec_replicas": 99})
    second = {**second, "doubt": "who knows", "out": {**second["out"], "spec_replicas": 99}}
    assert main(["hpa", "replay", str(trace(tmp_path, ticks=[first, second, *rest]))]) == 1
    sum_ = capsys.readouterr().out.splitlines()[-1]
    assert sum_.startswith("2 differences in ")
    assert sum_.endswith(", 1 of them where the recording is in doubt")


def test_what_was_not_recorded_is_not_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changes = {"ticks": ticks({"error": "unknown", "spec_replicas": 99}), "not_recorded": ["error", "spec_replicas"]}
    assert main(["hpa", "replay", str(trace(tmp_path, **changes))]) == 0
    assert capsys.readouterr().out.startswith("no difference in ")


def test_programs_get_the_differences_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = trace(tmp_path, ticks=ticks({"rescaled": False}))
    assert main(["hpa", "replay", str(file), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    difference = {"t_s": 15.0, "field": "rescaled", "recorded": False, "computed": True, "doubt": None}
    assert (found["traces"], found["differences"]) == (1, [{"file": str(file), **difference}])


def test_the_version_can_be_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    other = [str(RECORDED.with_name(f"trace-0{number}.json.gz")) for number in range(75, 80)]
    assert main(["hpa", "replay", *other]) == 0
    assert main(["hpa", "replay", *other, "--kubernetes", "1.32"]) == 1
    assert main(["hpa", "replay", *other, "--kubernetes", "1.2"]) == 2
    assert "--kubernetes: Kubernetes 1.2 is older than 1.30" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"ticks": [{"in": {}}]}, "ticks[0].in.t_s: field required"),
        ({"ticks": ticks({"rescaled": 3})}, "ticks[0].out.rescaled: input should be a valid boolean"),
        ({"spec": {"maxReplicas": 0}}, "spec.maxReplicas: input should be greater than or equal to 1"),
        ({"kubernetes": "latest"}, "kubernetes: 'latest' is no version of Kubernetes"),
    ],
)
def test_what_cannot_be_read_is_a_line_with_file_and_field(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], fields: dict[str, Any], fault: str
) -> None:
    file = trace(tmp_path, **fields)
    assert main(["hpa", "replay", str(file)]) == 2
    assert capsys.readouterr().err.startswith(f"{file}: {fault}")


@pytest.mark.parametrize("content", [b"{", b"", b"\x1f\x8bbroken"])
def test_what_is_no_json_is_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes) -> None:
    file = tmp_path / "trace.json"
    file.write_bytes(content)
    assert main(["hpa", "replay", str(file), str(tmp_path / "absent.json")]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(": ")[0] for line in lines] == [str(file), str(tmp_path / "absent.json")]


def test_a_trace_of_memory_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = {"type": "AverageValue", "averageValue": "1Gi"}
    metrics = [{"type": "Resource", "resource": {"name": "memory", "target": target}}]
    assert main(["hpa", "replay", str(trace(tmp_path, spec={"maxReplicas": 3, "metrics": metrics}))]) == 2
    assert "spec.metrics[0]: a trace holds the usage of cpu, not of memory" in capsys.readouterr().err


def test_a_recorded_tick_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["hpa", "explain", "--trace", str(RECORDED), "--at", "29"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert (lines[0], lines[-1]) == ("t = 15 s: 18 replicas, 1 to 20 allowed", "decision: 18 -> 2")


def test_programs_get_the_explanation_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["hpa", "explain", "--trace", str(RECORDED), "--at", "15", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["t_s"], found["replicas"], found["lines"][-1]) == (15.0, 2, "decision: 18 -> 2")


def test_a_time_before_the_first_tick_is_a_clear_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["hpa", "explain", "--trace", str(RECORDED), "--at", "3"]) == 2
    assert capsys.readouterr().err == f"{RECORDED}: no tick at or before 3 s; the first is at 15 s\n"
