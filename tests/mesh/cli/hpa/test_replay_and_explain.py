"""`mesh hpa replay` and `mesh hpa explain`."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from mesh.cli.main import main

RECORDED = Path(__file__).parents[3] / "autoscaling" / "traces" / "trace-001.json.gz"


def trace(folder: Path, **fields: Any) -> Path:
    """Writes the first recorded trace as plain JSON, with `fields` replaced; returns the file."""
    file = folder / "trace.json"
    file.write_text(json.dumps({**json.loads(gzip.decompress(RECORDED.read_bytes())), **fields}))
    return file


def ticks(change: dict[str, Any]) -> list[Any]:
    """Returns the recorded ticks, with `change` in the decision of the first."""
    found = json.loads(gzip.decompress(RECORDED.read_bytes()))["ticks"]
    return [{"in": found[0]["in"], "out": {**found[0]["out"], **change}}, *found[1:]]


def test_replay_without_differences_prints_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["hpa", "replay", str(RECORDED)]) == 0
    assert capsys.readouterr().out == "1 trace, 110 decisions: all equal (660 fields)\n"


def test_replay_prints_a_row_for_each_difference(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = trace(tmp_path, ticks=ticks({"spec_replicas": 99}))
    assert main(["hpa", "replay", str(file), str(RECORDED)]) == 1
    _, row, summary = capsys.readouterr().out.splitlines()
    assert row.split() == ["trace.json", "spec_replicas", "99", "2", "15"]
    assert summary == "2 traces, 220 decisions: 1 difference (1,320 fields)"


def test_differences_at_ticks_in_doubt_are_counted_separately(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second, *rest = ticks({"spec_replicas": 99})
    second = {**second, "doubt": "unknown", "out": {**second["out"], "spec_replicas": 99}}
    assert main(["hpa", "replay", str(trace(tmp_path, ticks=[first, second, *rest]))]) == 1
    summary = capsys.readouterr().out.splitlines()[-1]
    assert summary == "1 trace, 110 decisions: 2 differences, 1 of them at ticks in doubt (660 fields)"


def test_fields_that_were_not_recorded_are_not_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changes = {"ticks": ticks({"error": "unknown", "spec_replicas": 99}), "not_recorded": ["error", "spec_replicas"]}
    assert main(["hpa", "replay", str(trace(tmp_path, **changes))]) == 0
    assert capsys.readouterr().out == "1 trace, 110 decisions: all equal (440 fields)\n"


def test_replay_prints_differences_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = trace(tmp_path, ticks=ticks({"rescaled": False}))
    assert main(["hpa", "replay", str(file), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    difference = {"t_s": 15.0, "field": "rescaled", "recorded": False, "computed": True, "doubt": None}
    assert (found["traces"], found["differences"]) == (1, [{"file": str(file), **difference}])


def test_option_kubernetes_selects_the_version(capsys: pytest.CaptureFixture[str]) -> None:
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
        ({"kubernetes": "latest"}, "kubernetes: 'latest' is not a Kubernetes version"),
    ],
)
def test_fault_in_a_trace_is_reported_with_file_and_field(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], fields: dict[str, Any], fault: str
) -> None:
    file = trace(tmp_path, **fields)
    assert main(["hpa", "replay", str(file)]) == 2
    assert capsys.readouterr().err.startswith(f"{file}: {fault}")


@pytest.mark.parametrize("content", [b"{", b"", b"\x1f\x8bbroken"])
def test_unreadable_files_are_each_reported_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    file = tmp_path / "trace.json"
    file.write_bytes(content)
    assert main(["hpa", "replay", str(file), str(tmp_path / "absent.json")]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(": ")[0] for line in lines] == [str(file), str(tmp_path / "absent.json")]
    assert lines[1].endswith("cannot be read: No such file or directory; correct the path")


@pytest.mark.parametrize("content", ["# ensemble-mesh\n", "[]", "{"])
def test_file_that_is_not_a_trace_is_reported_with_the_fix(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    file = tmp_path / "README.md"
    file.write_text(content)
    assert main(["hpa", "replay", str(file)]) == 2
    assert capsys.readouterr().err == f"{file}: is not a trace; record one with `mesh hpa record`\n"


def test_trace_of_memory_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = {"type": "AverageValue", "averageValue": "1Gi"}
    metrics = [{"type": "Resource", "resource": {"name": "memory", "target": target}}]
    assert main(["hpa", "replay", str(trace(tmp_path, spec={"maxReplicas": 3, "metrics": metrics}))]) == 2
    assert "spec.metrics[0]: a trace has no usage of memory, only of cpu" in capsys.readouterr().err


def test_explain_shows_a_recorded_tick(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["hpa", "explain", "--trace", str(RECORDED), "--at", "29"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert (lines[0], lines[-1]) == ("t = 15 s: 18 replicas, 1 to 20 allowed", "decision: 18 -> 2")


def test_explain_prints_a_recorded_tick_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["hpa", "explain", "--trace", str(RECORDED), "--at", "15", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["t_s"], found["replicas"], found["lines"][-1]) == (15.0, 2, "decision: 18 -> 2")


@pytest.mark.parametrize("at", ["3", "1665.5", "100000"])
def test_time_outside_of_the_trace_is_reported(capsys: pytest.CaptureFixture[str], at: str) -> None:
    assert main(["hpa", "explain", "--trace", str(RECORDED), "--at", at]) == 2
    expected = f"{RECORDED}: --at {at}: is outside of the trace; give seconds from 15 to 1650\n"
    assert capsys.readouterr().err == expected


def test_last_tick_is_explained_until_the_next_one_is_due(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["hpa", "explain", "--trace", str(RECORDED), "--at", "1664"]) == 0
    assert capsys.readouterr().out.startswith("t = 1650 s: ")
