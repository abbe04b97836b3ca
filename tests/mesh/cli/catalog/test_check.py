import json
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import lightgbm
import numpy as np
import pytest

from mesh.cli.main import main
from tests.mesh.cli.features.test_load import write_models as write_models_of

MANY_FAULTS = """game: Dragon_Fall
budget_ms: soon
features: {store: sqlite, path: nobody.sqlite, timeout: 50}
offers: {path: offers.csv, fallback: nothing, rank_by: price}
versions:
  "2026-10":
    traffic: 60
    combine: {kind: mean, quorum: 3}
    models:
      - {name: whales, uri: whales.txt}
      - {name: whales, uri: minnows.txt, sha256: abc}
  "2026-11":
    traffic: 30
    models:
      - {uri: pvp.txt}
"""

# The line and path of every fault in the text above (`FILE:LINE: PATH: PROBLEM; FIX`).
PLACES = {
    "1: game",
    "2: budget_ms",
    "3: features.path",
    "3: features.timeout",
    "4: offers.path",
    "4: offers.rank_by",
    "5: versions",
    "8: versions.2026-10.combine.quorum",
    "10: versions.2026-10.models[0].uri",
    "11: versions.2026-10.models[1].name",
    "11: versions.2026-10.models[1].sha256",
    "11: versions.2026-10.models[1].uri",
    "15: versions.2026-11.models[0].name",
}

VALID = """game: {game}
features: {{path: {game}.sqlite}}
versions:
  "1":
    models:
      - {{name: a, uri: "s3://models/a.txt"}}
      - {{name: b, uri: "s3://models/b.txt"}}
"""


@pytest.fixture
def faulty(tmp_path: Path) -> Path:
    file = tmp_path / "mesh.yaml"
    file.write_text(MANY_FAULTS)
    return file


def write_valid(folder: Path, game: str, name: str = "") -> Path:
    (folder / "players.csv").write_text("player_id,age\np,1\n")
    file = folder / f"{name or game}.yaml"
    file.write_text(VALID.format(game=game))
    assert main(["features", "load", str(folder / "players.csv"), "--catalog", str(file)]) == 0
    return file


def test_every_fault_is_reported_with_its_line_its_path_and_the_fix(
    faulty: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["catalog", "check", str(faulty)]) == 2

    lines = capsys.readouterr().err.splitlines()
    assert {": ".join(line.removeprefix(f"{faulty}:").split(": ")[:2]) for line in lines} == PLACES
    assert all("; " in line for line in lines)


def test_faults_are_in_the_order_of_the_file(faulty: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["catalog", "check", str(faulty)])

    numbers = [int(line.split(":")[1]) for line in capsys.readouterr().err.splitlines()]
    assert numbers == sorted(numbers)


def test_json_option_prints_the_faults_as_json(faulty: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["catalog", "check", str(faulty), "--json"]) == 2

    (checked,) = json.loads(capsys.readouterr().out)
    assert not checked["ok"]
    assert {f"{fault['line']}: {fault['path']}" for fault in checked["faults"]} == PLACES
    assert all(fault["fix"] and fault["fix"] == fault["mend"] for fault in checked["faults"])


def test_valid_catalog_is_summarized(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write_valid(tmp_path, "arena")
    capsys.readouterr()

    assert main(["catalog", "check", str(file)]) == 0

    assert capsys.readouterr().out.splitlines() == [
        f"{file}: game arena, answers in 300 ms",
        "  version 1: 100 % of the players, 2 models, mean of at least 2 votes",
    ]


def test_summary_of_a_rollout_has_the_share_now_and_the_holdout(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = "    rollout: {start: 2026-12-01T10:00:00Z, steps: [1, 5, 25], hold_s: 900}\n"
    text = TWO.format(first=100, second=1).replace("features:", "assignment: {holdout: 2}\nfeatures:", 1)
    (file := tmp_path / "mesh.yaml").write_text(text.replace("{traffic: 1,", "{" + plan.strip() + ","))
    monkeypatch.setattr(time, "time", lambda: 1_796_119_200.0 + 1000)  # 1,000 s after the start
    assert main(["catalog", "check", "--quick", str(file)]) == 0
    plan_now = "1 % of the players from 2026-12-01T10:00:00Z, 25 % in the end, 5 % now"
    assert capsys.readouterr().out.splitlines() == [
        f"{file}: game g, answers in 300 ms, a holdout of 2 % of the players",
        "  version 1: 100 % of the players that 2 leaves, 2 models, mean of at least 2 votes",
        f"  version 2: {plan_now}, 1 models, mean of at least 1 votes",
    ]


def test_two_files_with_the_same_game_are_a_fault(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = write_valid(tmp_path, "arena"), write_valid(tmp_path, "arena", "again")

    assert main(["catalog", "check", str(first), str(second)]) == 2
    expected = f"{second}: game: 'arena' is already the game of {first}; give each file its own"
    assert capsys.readouterr().err.splitlines() == [expected]


def test_faults_after_a_missing_file_are_reported(
    tmp_path: Path, faulty: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["catalog", "check", str(tmp_path / "nobody.yaml"), str(faulty)]) == 2

    lines = capsys.readouterr().err.splitlines()
    assert "nobody.yaml: cannot be read: " in lines[0]
    assert len(lines) == 1 + len(PLACES)


def test_schema_command_prints_the_json_schema_of_the_catalog(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["catalog", "schema"]) == 0

    schema = json.loads(capsys.readouterr().out)
    assert {"game", "features", "versions"} <= set(schema["required"])


def test_unknown_key_is_reported_with_a_similar_known_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write_valid(tmp_path, "arena")
    text = (
        file.read_text()
        .replace("{name: a,", "{name: a, wieght: 2,")
        .replace("    models:", "    trafic: 5\n    models:")
    )
    file.write_text(text)

    assert main(["catalog", "check", str(file)]) == 2
    assert capsys.readouterr().err.splitlines() == [
        f"{file}:5: versions.1.trafic: unknown key; did you mean 'traffic'?",
        f"{file}:7: versions.1.models[0].wieght: unknown key; did you mean 'weight'?",
    ]


def test_recursive_alias_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mesh.yaml"
    file.write_text("versions: &all [*all]")

    assert main(["catalog", "check", str(file)]) == 2
    assert (
        capsys.readouterr().err
        == f"{file}:1: the alias *all is inside of the value that it repeats; remove the alias\n"
    )


def test_values_that_no_model_knows_are_warnings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_models_of(tmp_path, "a")
    file, players = tmp_path / "mesh.yaml", tmp_path / "players.csv"
    players.write_text("player_id,age,country\np,1,DE\nq,2,de\n")
    (tmp_path / "offers.csv").write_text("offer_id,tier\nx,1\ny,7\n\n")
    file.write_text(file.read_text() + "offers: {path: offers.csv, fallback: x}\n")
    assert main(["features", "load", str(players), "--catalog", str(file)]) == 0
    capsys.readouterr()

    assert main(["catalog", "check", str(file)]) == 0

    assert capsys.readouterr().err.splitlines() == [
        f"warning: {file}:2: features.path: of 2,000 players at most: 'country': 50 % of the values (1 of 2) are "
        "unknown to every model of 1 and count as missing, such as 'DE'; give the values as they were in training",
        f"warning: {file}:7: offers.path: 'tier': 1 of 2 offers have a value that no model of 1 knows: "
        "'7' of offer 'y'; give the values as they were in training",
    ]
    assert main(["catalog", "check", str(file), "--json"]) == 0
    (checked,) = json.loads(capsys.readouterr().out)
    assert (checked["ok"], [warning["line"] for warning in checked["warnings"]]) == (True, [2, 7])


def test_categories_that_contradict_the_model_file_are_a_fault(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_models_of(tmp_path, "a")
    file, players = tmp_path / "mesh.yaml", tmp_path / "players.csv"
    players.write_text("player_id,age,country,tier\np,1,de,1\n")
    assert main(["features", "load", str(players), "--catalog", str(file)]) == 0
    text = file.read_text()
    file.write_text(text.replace("uri: a.txt", "uri: a.txt, categories: [country, tier]"))
    assert main(["catalog", "check", str(file)]) == 0

    file.write_text(text.replace("uri: a.txt", "uri: a.txt, categories: [country, age]"))
    assert main(["catalog", "check", str(file)]) == 2

    error = capsys.readouterr().err
    assert f"{file}:6: versions.1.models[0].categories: the values of 'age' in training were no codes of its" in error


def test_fault_that_models_share_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write_models(tmp_path, [binary_text(("age", "gold"))] * 4)

    assert main(["catalog", "check", str(file)]) == 2
    problem = "versions.1.models[0].uri: feature 'gold' has no source"
    others = "the same in versions.1.models[1].uri, versions.1.models[2].uri, 1 more"
    fix = "add it to the player store, to `context` or to the offers"
    assert capsys.readouterr().err == f"{file}:6: {problem} ({others}); {fix}\n"
    main(["catalog", "check", str(file), "--json"])
    ((fault,),) = (checked["faults"] for checked in json.loads(capsys.readouterr().out))
    assert fault["also"] == [f"versions.1.models[{position}].uri" for position in (1, 2, 3)]


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda text: text[: len(text) // 2], "the file is damaged: tree "),
        (lambda text: text[: text.index("end of trees") + 13], "the file is damaged: it is cut off after the trees"),
        (lambda text: text.rstrip("\n"), "the file is damaged: it is cut off after the trees"),
        (lambda text: re.sub("leaf_value=[^ ]*", "leaf_value=nan", text, count=1), "the file is damaged: "),
    ],
)
def test_model_that_no_worker_serves_is_a_fault(
    damage: Callable[[str], str], reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = binary_text(("age",))
    file = write_models(tmp_path, [whole, damage(whole)])

    assert main(["catalog", "check", "--quick", str(file)]) == 0
    capsys.readouterr()
    assert main(["catalog", "check", str(file)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{file}:7: versions.1.models[1].uri: no worker serves {tmp_path / 'm1.txt'}: {reason}" in line


def test_model_file_without_its_end_is_damaged_not_trained_without_categories(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = binary_text(("platform",))
    file = write_models(tmp_path, [whole, whole[: len(whole) // 2]])
    file.write_text(file.read_text().replace("versions:", "context: {platform: text}\nversions:", 1))
    assert main(["catalog", "check", str(file)]) == 2
    sound, damaged = capsys.readouterr().err.splitlines()
    assert "models[0].uri: feature 'platform' is text, but the model has no categories for it" in sound
    assert f"models[1].uri: no worker serves {tmp_path / 'm1.txt'}: the file is damaged" in damaged


def test_kept_proofs_are_used_by_the_next_check(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    file = write_models(tmp_path, [binary_text(("age",))])
    assert main(["catalog", "check", str(file)]) == 0
    (proof,) = (tmp_path / "cache" / "ensemble-mesh" / "proofs").glob("*.json")
    made_at = proof.stat().st_mtime_ns
    assert main(["catalog", "check", str(file)]) == 0
    assert proof.stat().st_mtime_ns == made_at
    assert capsys.readouterr().err == ""


def binary_text(features: Sequence[str]) -> str:
    """The text of a small model on `features`."""
    rng = np.random.default_rng(3)
    values = rng.random((200, len(features)))
    data = lightgbm.Dataset(values, (values[:, 0] > 0.5).astype(int), feature_name=list(features))
    parameters = {"objective": "binary", "num_leaves": 4, "verbose": -1, "num_threads": 1}
    text: str = lightgbm.train(parameters, data, 5).model_to_string()
    return f"{text}\npandas_categorical:null\n"


def write_models(folder: Path, texts: Sequence[str]) -> Path:
    """Writes a game of these models; its players have one feature, age."""
    write_valid(folder, "arena")
    lines = [f"      - {{name: m{position}, uri: m{position}.txt}}" for position in range(len(texts))]
    for position, text in enumerate(texts):
        (folder / f"m{position}.txt").write_text(text)
    head = VALID.format(game="arena").split("      - ")[0]
    (file := folder / "mesh.yaml").write_text(head + "\n".join(lines) + "\n")
    return file


TWO = """game: g
features: {{store: dynamodb, table: players, region: eu-west-1}}
versions:
  "1": {{traffic: {first}, models: [{{name: a, uri: "s3://models/a.txt"}}, {{name: b, uri: "s3://models/b.txt"}}]}}
  "2": {{traffic: {second}, models: [{{name: a, uri: "s3://models/a2.txt"}}]}}
"""
ONE = """game: g
features: {store: dynamodb, table: players, region: eu-west-1}
versions:
  "2": {traffic: 100, models: [{name: a, uri: "s3://models/a2.txt"}]}
"""


def upgrade(folder: Path, before: str, then: str, ready: str | None = None) -> int:
    """Checks the upgrade from one catalog to another."""
    (folder / "before.yaml").write_text(before)
    (folder / "then.yaml").write_text(then)
    words = ["--before", str(folder / "before.yaml")]
    if ready is not None:
        (folder / "ready.json").write_text(ready)
        words += ["--ready", str(folder / "ready.json")]
    return main(["catalog", "check", "--quick", *words, str(folder / "then.yaml")])


def test_upgrade_must_not_remove_a_version_with_players(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert upgrade(tmp_path, TWO.format(first=10, second=90), ONE) == 2
    assert capsys.readouterr().err == (
        f"{tmp_path}/then.yaml:3: versions: 1 is removed, but it has 10 % of the players; first give its players to "
        "other versions, with `traffic: 0`; remove it in a later upgrade\n"
    )
    assert upgrade(tmp_path, TWO.format(first=0, second=100), ONE) == 0


@pytest.mark.parametrize(
    ("before", "then", "ready", "faults"),
    [
        (0, 50, '{"g-1-b": 2}', ["4: versions.1: gets 50 % of the players, but no replica of a is ready"]),
        (0, 50, '{"g-1-a": 1, "g-1-b": 2}', []),
        (50, 50, "{}", []),
        (50, 10, '{"g-2-a": 1}', []),
        (0, 50, None, []),
    ],
)
def test_upgrade_gives_more_players_only_to_versions_with_replicas_of_every_model(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    before: float,
    then: float,
    ready: str | None,
    faults: list[str],
) -> None:
    old, new = (TWO.format(first=share, second=100 - share) for share in (before, then))
    assert upgrade(tmp_path, old, new, ready) == (2 if faults else 0)
    found = [line.partition("then.yaml:")[2].partition(";")[0] for line in capsys.readouterr().err.splitlines()]
    assert found == faults


def test_upgrade_may_give_players_to_a_version_that_is_ready_with_a_quorum(tmp_path: Path) -> None:
    old, new = (TWO.format(first=share, second=100 - share) for share in (0, 50))
    new = new.replace('"1": {', '"1": {ready: quorum, combine: {quorum: 1}, ')
    assert upgrade(tmp_path, old, new, '{"g-1-a": 0, "g-1-b": 1}') == 0
    assert upgrade(tmp_path, old, new, '{"g-1-a": 0, "g-1-b": 0}') == 2


def test_upgrade_must_not_remove_a_version_to_which_a_plan_gives_players(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = "rollout: {start: 2026-12-01T10:00:00Z, steps: [1, 100], hold_s: 900}"
    before = TWO.replace("traffic: {first}", plan.replace("{", "{{").replace("}", "}}")).format(second=100)
    assert upgrade(tmp_path, before, ONE) == 2
    assert "versions: 1 is removed, but a plan gives it players; " in capsys.readouterr().err


def test_upgrade_from_a_catalog_with_faults_is_not_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert upgrade(tmp_path, "game: g\n", ONE) == 0
    assert capsys.readouterr().err.startswith("warning: the catalog in force is not compared: ")


@pytest.mark.parametrize("text", ["[]", '{"g-1-a": "two"}', "{"])
def test_malformed_replicas_are_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    assert upgrade(tmp_path, ONE, ONE, text) == 2
    assert "give the ready replicas by Deployment" in capsys.readouterr().err


def test_models_elsewhere_and_a_base_folder(tmp_path: Path) -> None:
    file, files = tmp_path / "mesh.yaml", tmp_path / "files"
    files.mkdir()
    file.write_text(ONE.replace("s3://models/a2.txt", "m0.txt"))
    assert main(["catalog", "check", "--quick", str(file)]) == 2
    assert main(["catalog", "check", "--quick", "--models-elsewhere", str(file)]) == 0
    (files / "m0.txt").write_text("not a model")
    assert main(["catalog", "check", "--quick", "--models-elsewhere", "--files", str(files), str(file)]) == 2
