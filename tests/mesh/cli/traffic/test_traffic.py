"""`mesh traffic`: changes the shares in a catalog file, and nothing else."""

from __future__ import annotations

import json
import stat
from collections.abc import Mapping
from pathlib import Path

import pytest

from mesh.catalog import catalog, yaml_edit
from mesh.catalog.faults import Location
from mesh.cli.main import main
from mesh.cli.traffic.shares import new_shares
from mesh.errors import Misconfigured

CATALOG = """\
# the game of dragons
game: g
features: {path: players.sqlite}
versions:
  "2026-10":   # since October
    traffic: 99   # percent
    # its models
    models:
      - {name: m, uri: m.txt}   # the only one
  "2026-11": {traffic: 1, models: [{name: m, uri: m.txt}]}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mesh.yaml"
    path.write_text(CATALOG)
    return path


def test_other_version_gets_the_remainder_and_comments_stay(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.chmod(0o640)
    assert main(["traffic", str(file), "2026-11=5"]) == 0
    assert file.read_text() == CATALOG.replace("99   #", "95   #").replace("traffic: 1,", "traffic: 5,")
    assert capsys.readouterr().out == f"{file}: 2026-10 99 -> 95 %, 2026-11 1 -> 5 %\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert list(file.parent.iterdir()) == [file]


def test_file_is_replaced_by_a_rename(file: Path) -> None:
    before, link = file.stat().st_ino, file.with_name("link.yaml")
    link.symlink_to(file)
    assert main(["traffic", str(link), "2026-11=12.5%"]) == 0
    assert file.stat().st_ino != before
    assert link.is_symlink()
    assert catalog.load(link).versions["2026-11"].traffic == 12.5


def test_shares_of_all_versions_can_be_named(file: Path) -> None:
    assert main(["traffic", str(file), "2026-11=30", "2026-10=70"]) == 0
    assert {name: one.traffic for name, one in catalog.load(file).versions.items()} == {"2026-10": 70, "2026-11": 30}


def test_version_without_a_share_gets_one(file: Path) -> None:
    alone = CATALOG.replace("    traffic: 99   # percent\n", "").replace("traffic: 1,", "traffic: 0,")
    file.write_text(alone)
    assert main(["traffic", str(file), "2026-11=40"]) == 0
    assert file.read_text() == alone.replace(
        "    # its models\n    models:", "    # its models\n    traffic: 60\n    models:"
    ).replace("traffic: 0,", "traffic: 40,")


ROLLOUT = """\
    rollout:   # in December
      start: 2026-12-01T10:00:00Z
      steps: [1, 100]
      hold_s: 60   # short
"""


def test_rollout_is_replaced_by_the_share(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    planned = CATALOG.replace("    traffic: 99   # percent\n", ROLLOUT).replace("traffic: 1,", "traffic: 100,")
    file.write_text(planned)
    assert main(["traffic", str(file), "2026-11=100"]) == 0
    assert file.read_text() == planned.replace(ROLLOUT, "    traffic: 0\n")
    assert "the rollout of 2026-10 is removed" in capsys.readouterr().out
    assert catalog.load(file).versions["2026-10"].rollout is None


def test_rollout_in_one_line_is_replaced_by_the_share(file: Path) -> None:
    plan = "rollout: {start: 2026-12-01T10:00:00Z, steps: [1, 100], hold_s: 60}"
    for before, after in (
        (f"{{{plan}, models: ", "{traffic: 0, models: "),
        (f"{{models: [{{name: m, uri: m.txt}}], {plan}}}", "{models: [{name: m, uri: m.txt}], traffic: 0}"),
    ):
        old = "{traffic: 1, models: " if before.startswith("{r") else "{traffic: 1, models: [{name: m, uri: m.txt}]}"
        file.write_text(CATALOG.replace("99   #", "100   #").replace(old, before))
        assert main(["traffic", str(file), "2026-10=100"]) == 0
        assert file.read_text() == CATALOG.replace("99   #", "100   #").replace(old, after)


def test_same_shares_change_nothing(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = file.stat()
    assert main(["traffic", str(file), "2026-11=1"]) == 0
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert capsys.readouterr().out == f"{file}: nothing to change\n"


def test_windows_line_ends_stay(file: Path) -> None:
    file.write_bytes(
        CATALOG.replace("    traffic: 99   # percent\n", "")
        .replace("traffic: 1", "traffic: 0")
        .replace("\n", "\r\n")
        .encode()
    )
    assert main(["traffic", str(file), "2026-11=5"]) == 0
    assert file.read_bytes().count(b"\r\n") == file.read_bytes().count(b"\n") == CATALOG.count("\n")


@pytest.mark.parametrize(
    ("shares", "error"),
    [
        (["2026-12=5"], "there is no version '2026-12'; the catalog has 2026-10, 2026-11"),
        (["2026-11=5", "2026-10=90"], "the shares add up to 95; change them so that they add up to 100"),
        (["2026-11=60", "2026-10=50"], "the shares add up to 110"),
        (["2026-11=60", "2026-11=50"], "a version is named twice"),
    ],
)
def test_shares_that_cannot_be_are_refused(
    file: Path, shares: list[str], error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["traffic", str(file), *shares]) == 2
    assert error in capsys.readouterr().err
    assert file.read_text() == CATALOG


@pytest.mark.parametrize("share", ["2026-11", "=5", "2026-11=-1", "2026-11=101", "2026-11=nan", "2026-11=x"])
def test_argument_that_is_not_a_share_is_refused(file: Path, share: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["traffic", str(file), share])
    assert "is not VERSION=PERCENT with a percent from 0 to 100" in capsys.readouterr().err


def test_faults_of_the_new_catalog_are_reported_with_the_files_name(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(CATALOG.replace("traffic: 1,", "traffic: 1, combine: {quorum: 2},"))
    assert main(["traffic", str(file), "2026-11=5"]) == 2
    assert capsys.readouterr().err.startswith(f"{file}:10: versions.2026-11.combine.quorum: 2 votes required")
    assert catalog.read(file).catalog is not None
    assert list(file.parent.iterdir()) == [file]


def test_shares_that_did_not_add_up_can_be_corrected(file: Path) -> None:
    file.write_text(CATALOG.replace("traffic: 99", "traffic: 90"))
    assert main(["traffic", str(file), "2026-11=5"]) == 0
    assert catalog.load(file).versions["2026-10"].traffic == 95


def test_aliased_version_is_refused(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = CATALOG.replace('"2026-10":   #', '"2026-10": &v   #').replace(
        "{traffic: 1, models: [{name: m, uri: m.txt}]}", "*v"
    )
    file.write_text(text)
    assert main(["traffic", str(file), "2026-11=5"]) == 2
    assert "cannot be edited in place (an alias?)" in capsys.readouterr().err
    assert file.read_text() == text


def test_file_that_another_program_changes_meanwhile_stays(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    edit = yaml_edit.edit

    def edit_late(text: str, changes: Mapping[Location, yaml_edit.Change], *, first: bool = False) -> str:
        file.write_text(CATALOG + "# theirs\n")
        return edit(text, changes, first=first)

    monkeypatch.setattr(yaml_edit, "edit", edit_late)
    assert main(["traffic", str(file), "2026-11=5"]) == 1
    assert "another program has changed the file" in capsys.readouterr().err
    assert file.read_text() == CATALOG + "# theirs\n"


def test_json_has_the_shares_before_and_after(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["traffic", str(file), "2026-11=5", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "file": str(file),
        "game": "g",
        "before": {"2026-10": 99, "2026-11": 1},
        "after": {"2026-10": 95, "2026-11": 5},
    }


@pytest.mark.parametrize(
    ("now", "wanted", "expected"),
    [
        ({"a": 60, "b": 30, "c": 10}, {"c": 55}, {"a": 30, "b": 15, "c": 55}),
        ({"a": 100, "b": 0, "c": 0}, {"c": 5}, {"a": 95, "b": 0, "c": 5}),
        ({"a": 1, "b": 1, "c": 1, "d": 97}, {"d": 0}, {"a": 33.3334, "b": 33.3333, "c": 33.3333, "d": 0}),
        ({"a": 100, "b": 0, "c": 0}, {"a": 100}, {"a": 100, "b": 0, "c": 0}),
        ({"a": 100}, {"a": 100}, {"a": 100}),
        ({"a": 100, "b": 0}, {"a": 0}, {"a": 0, "b": 100}),
    ],
)
def test_versions_that_are_not_named_share_the_remainder(
    now: dict[str, float], wanted: dict[str, float], expected: dict[str, float]
) -> None:
    found = new_shares(now, wanted)
    assert found == expected
    assert abs(sum(found.values()) - 100) < 1e-6


def test_remainder_for_several_versions_without_players_is_refused() -> None:
    with pytest.raises(Misconfigured, match=r"5 % of the players are left, and b or c have none now"):
        new_shares({"a": 100, "b": 0, "c": 0}, {"a": 95})
