"""`mesh hpa simulate`, `explain` and `tune` as commands."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from k8s.render import EXAMPLE
from mesh.cli.main import main

STEP = "step:from=100,to=10000,at=300,length=1200"


def hpa(*words: str | Path | int) -> int:
    return main(["hpa", *map(str, words)])


def test_simulate_prints_a_table_of_all_deployments_and_a_table_of_totals(capsys: pytest.CaptureFixture[str]) -> None:
    assert hpa("simulate", EXAMPLE, "--load", STEP, "--offers", 16, "--fixed") == 0
    printed = capsys.readouterr()
    first = [line.split()[0] for line in printed.out.splitlines()]
    assert printed.out.startswith("dragonfall, 20 min ")
    assert first[1:17] == ["dragonfall-supervisor", *(name for name in first if name.startswith("dragonfall-2026"))]
    assert first[17:] == ["total", "these", "fixed", "monolith,"]
    assert (
        "no --profile: assumed model costs; do not use these figures for planning; 16 offers per request" in printed.err
    )


def test_simulate_prints_all_results_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert hpa("simulate", EXAMPLE, "--load", STEP, "--offers", 16, "--json") == 0
    (game,) = json.loads(capsys.readouterr().out)
    assert len(game["deployments"]) == 16
    whales = game["deployments"][1]
    assert len(whales["replicas"]) == len(game["rps"]) == 80
    assert whales["rescales"][0]["why"][-1].startswith("decision: ")


def test_page_has_no_external_resources_and_explains_decisions(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "report.html"
    assert hpa("simulate", EXAMPLE, "--load", STEP, "--offers", 16, "--out", page) == 0
    text = page.read_text(encoding="utf-8")
    assert "dragonfall-2026-10-whales" in text
    assert "decision: 3 -\\u003e" in text or "decision: 3 -&gt;" in text or "decision: 3 -> " in text
    assert 'src="http' not in text
    assert "<dt>Command</dt><dd>mesh " in text
    assert '"tickformat":"%H:%M"' in text
    capsys.readouterr()


def test_explain_ends_with_the_decision(capsys: pytest.CaptureFixture[str]) -> None:
    assert hpa("explain", EXAMPLE, "--load", STEP, "--offers", 16, "--model", "pvp", "--at", "00:06") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "dragonfall-2026-10-pvp"
    assert lines[-1].startswith("  decision: ")


def test_explain_reads_the_json_of_simulate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert hpa("simulate", EXAMPLE, "--load", STEP, "--offers", 16, "--json") == 0
    result = tmp_path / "result.json"
    result.write_text(capsys.readouterr().out)
    assert hpa("explain", "--result", result, "--model", "whales", "--at", "00:19") == 0
    lines = capsys.readouterr().out.splitlines()
    assert (lines[0], lines[-1][:12]) == ("dragonfall-2026-10-whales", "  decision: ")
    assert hpa("explain", "--result", EXAMPLE, "--model", "whales", "--at", "00:19") == 2
    assert capsys.readouterr().err.startswith(f"{EXAMPLE}: is not a result of `mesh hpa simulate --json`")


def test_models_whose_names_have_the_same_end_are_distinguished(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ("g-1-killer-whales", "g-1-whales")
    rescales = [{"at_s": 0, "from": 1, "to": 2, "why": ["decision: 1 -> 2"]}]
    result = tmp_path / "result.json"
    result.write_text(
        json.dumps([{"start_s": 0, "deployments": [{"name": name, "rescales": rescales} for name in names]}])
    )
    assert hpa("explain", "--result", result, "--model", "whales", "--at", "00:01") == 0
    assert capsys.readouterr().out.splitlines() == ["g-1-whales", "  decision: 1 -> 2"]


def test_tune_prints_a_patch_of_the_catalog(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    short = "step:from=100,to=1000,at=300,length=900"
    page = tmp_path / "frontier.html"
    words = ("--offers", 16, "--slo", "p95=100ms,full=99%", "--seeds", 1, "--out", page)
    assert hpa("tune", EXAMPLE, "--load", short, *words) == 0
    printed = capsys.readouterr().out
    assert f"--- {EXAMPLE}" in printed
    assert "+        hpa: {cpu_percent: " in printed
    text = page.read_text(encoding="utf-8")
    assert "core hours" in text
    assert '"name":"SLO: 99 % full"' in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("simulate", EXAMPLE, "--load", "nights"),
            "--load nights: cannot be read: No such file or directory; give a CSV file, or a shape: steady, step, ramp,"
            " spike, day",
        ),
        (("simulate", "nowhere.yaml", "--load", "day"), "nowhere.yaml: cannot be read"),
        (
            ("simulate", EXAMPLE, "--load", "day", "--profile", "nowhere.json"),
            "nowhere.json: cannot be read: No such file or directory; correct the path, or measure the models: "
            "python -m loadtest profile --all",
        ),
        (("simulate", EXAMPLE, "--load", "day", "--load", "step"), "--load step: is the second load for all games"),
        (
            ("explain", EXAMPLE, "--load", "day", "--model", "ghost", "--at", "1"),
            "--model: there is no 'ghost'; the models are",
        ),
        (("explain", EXAMPLE, "--load", "step", "--model", "pvp", "--at", "noon"), "--at: 'noon' is not a time"),
        (
            ("explain", EXAMPLE, "--load", "step", "--model", "pvp", "--at", "23:00"),
            "--at 23:00: is outside of the load",
        ),
        (
            ("explain", EXAMPLE, "--load", "day", "--model", "pvp", "--at", "90000"),
            "--at 90000: is outside of the load; give seconds from 0 to 86400, or a time of day (the load starts at "
            "00:00:00)",
        ),
        (
            ("simulate", EXAMPLE, "--load", "day", "--out", "/nowhere/r.html"),
            "--out /nowhere/r.html: cannot be written",
        ),
        (("tune", EXAMPLE, "--load", "day", "--slo", "p95=1s", "--out", "/"), "--out /: cannot be written"),
        (("explain", "--at", "1"), "explain: give CATALOG, --load and --model; or --trace; or --result and --model"),
        (("tune", EXAMPLE, "--load", "day", "--slo", "fast"), "--slo fast: 'fast' is not known"),
    ],
)
def test_wrong_input_is_reported_in_one_line(
    words: tuple[str | Path, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert hpa(*words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(message)


def test_profile_without_a_model_is_reported_with_the_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    profile = tmp_path / "profile.json"
    profile.write_text('{"profile": 2, "date": "x", "machine": "x", "versions": {}, "models": {}}')
    assert hpa("simulate", EXAMPLE, "--load", "step", "--profile", profile) == 2
    expected = (
        "--profile: has no dragonfall/2026-10/whales, dragonfall/2026-10/minnows, dragonfall/2026-10/window-shoppers"
    )
    assert capsys.readouterr().err.startswith(expected)


@pytest.mark.parametrize("span", ["68400", "68400-", "noon-1"])
def test_api_down_without_an_end_is_reported(span: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        hpa("simulate", EXAMPLE, "--load", "day", "--api-down", span)
    assert f"{span!r} is not a span; write START-END, for example 68400-69000" in capsys.readouterr().err


def test_tune_reports_its_start_although_stderr_is_not_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--load", "steady:rps=10,length=60", "--slo", "p95=1s", "--seeds", 1)
    hpa("tune", EXAMPLE, *words)
    assert capsys.readouterr().err.startswith("tuning: simulates many candidates, which can take minutes\n")


def test_output_without_plotly_is_reported_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "plotly", None)
    assert hpa("simulate", EXAMPLE, "--load", "day", "--out", "r.html") == 2
    expected = (
        "--out: plotly is not installed; run `pip install 'plotly>=6'` in the environment of mesh, or omit --out\n"
    )
    assert capsys.readouterr().err == expected
