from __future__ import annotations

import shutil
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mesh.decisions import log as log_module
from mesh.decisions.log import open_log
from mesh.decisions.schema import DECISION_SCHEMA, DECISIONS, OUTCOMES
from mesh.errors import Misconfigured, NotFound, Unavailable
from tests.decisions import simulated_log
from tests.decisions.log_writer import write_rows
from tests.decisions.simulated_log import SimulatedGame
from tests.emulators.s3 import S3, use, without_credentials

GAME = "dragonfall"
NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


def test_decisions_are_read_as_they_were_written(tmp_path: Path) -> None:
    written = simulated_log.write(tmp_path, SimulatedGame(players=30)).decisions
    with open_log(str(tmp_path)) as log:
        read = log.read(log.decisions(log.game()).order("time, decision_id"))
    expected = written.sort_by([("time", "ascending"), ("decision_id", "ascending")])
    assert read.num_rows > 100
    assert repr(read.to_pylist()) == repr(expected.to_pylist())  # repr, because NaN is not NaN


def test_range_is_half_open(tmp_path: Path) -> None:
    times = [NOON, NOON + timedelta(minutes=30), NOON + timedelta(hours=1), NOON + timedelta(days=1)]
    write_rows(tmp_path, DECISIONS, GAME, [{"decision_id": str(at), "time": time} for at, time in enumerate(times)])
    with open_log(str(tmp_path)) as log:
        found = log.decisions(GAME, times[1], times[2], ["decision_id"])
        assert log.read(found).to_pylist() == [{"decision_id": "1"}]
        assert log.read(log.decisions(GAME, times[2])).num_rows == 2
        assert log.read(log.decisions(GAME, None, times[2])).num_rows == 2
        assert log.span(GAME) == (NOON, NOON + timedelta(days=1, hours=1))


def test_only_the_files_of_the_range_are_read(tmp_path: Path) -> None:
    rows = [{"decision_id": str(day), "time": NOON + timedelta(days=day)} for day in range(3)]
    write_rows(tmp_path, DECISIONS, GAME, rows)
    damaged = next(tmp_path.glob("**/date=2026-11-04/hour=12/*.parquet"))
    damaged.write_bytes(b"")
    with open_log(str(tmp_path)) as log:
        assert log.read(log.decisions(GAME, NOON, NOON + timedelta(days=2))).num_rows == 2
        with pytest.raises(Misconfigured, match=f"{damaged}: is not a readable Parquet file: .*; move it out"):
            log.decisions(GAME)


def test_repeated_rows_are_read_once(tmp_path: Path) -> None:
    decisions = [{"decision_id": "a", "time": NOON}, {"decision_id": "b", "time": NOON}]
    outcomes = [{"outcome_id": "o", "decision_id": "a", "received": NOON, "kind": kind} for kind in ("shown", "shown")]
    for name in ("part-0", "part-1"):
        write_rows(tmp_path, DECISIONS, GAME, decisions, name)
        write_rows(tmp_path, OUTCOMES, GAME, outcomes, name)
    with open_log(str(tmp_path)) as log:
        assert sorted(log.read(log.decisions(GAME))["decision_id"].to_pylist()) == ["a", "b"]
        assert log.read(log.outcomes(GAME)).num_rows == 1
        assert log.read(log.outcomes_of_decisions(GAME)).num_rows == 1


def test_files_are_read_some_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_module, "_FILES", 2)
    rows = [{"decision_id": str(at), "time": NOON + timedelta(hours=at), "limit": at} for at in range(5)]
    for name in ("part-0", "part-1"):
        write_rows(tmp_path, DECISIONS, GAME, rows, name)
    with open_log(str(tmp_path)) as log:
        found = log.read(log.decisions(GAME, NOON + timedelta(hours=1), None, ["limit"]))
    assert sorted(found["limit"].to_pylist()) == [1, 2, 3, 4]


def test_missing_columns_are_null_and_unknown_columns_are_left_out(tmp_path: Path) -> None:
    write_rows(tmp_path, DECISIONS, GAME, [{"decision_id": "a", "time": NOON, "player": "p"}])
    file = next(tmp_path.glob("**/*.parquet"))
    older = pq.read_table(file, partitioning=None).drop_columns(["player", "votes"])
    pq.write_table(older.append_column("later", pa.array([7])), file.with_name("other.parquet"))
    file.unlink()
    with open_log(str(tmp_path)) as log:
        row = log.read(log.decisions(GAME)).to_pylist()[0]
    assert list(row) == DECISION_SCHEMA.names
    assert (row["decision_id"], row["player"], row["votes"]) == ("a", None, None)


def test_outcome_of_a_request_belongs_to_its_last_answer_before(tmp_path: Path) -> None:
    retries = [{"decision_id": f"d{at}", "request_id": "r", "time": NOON + timedelta(seconds=at)} for at in range(3)]
    later = {"outcome_id": "o1", "request_id": "r", "received": NOON + timedelta(days=3, hours=1), "kind": "purchased"}
    between = {"outcome_id": "o2", "request_id": "r", "received": NOON + timedelta(seconds=1.9), "kind": "shown"}
    named = {"outcome_id": "o3", "decision_id": "d0", "request_id": "r", "received": NOON, "kind": "shown"}
    foreign = {"outcome_id": "o4", "decision_id": "x", "received": NOON, "kind": "shown"}
    write_rows(tmp_path, DECISIONS, GAME, [*retries, {"decision_id": "e", "time": NOON, "request_id": None}])
    write_rows(tmp_path, OUTCOMES, GAME, [later, between, named, foreign])
    with open_log(str(tmp_path)) as log:
        found = log.read(log.outcomes_of_decisions(GAME)).to_pylist()
    assert {row["outcome_id"]: row["decision_id"] for row in found} == {"o1": "d2", "o2": "d1", "o3": "d0"}


def test_log_without_outcomes_has_an_empty_table(tmp_path: Path) -> None:
    write_rows(tmp_path, DECISIONS, GAME, [{"decision_id": "a", "time": NOON}])
    with open_log(str(tmp_path)) as log:
        assert log.read(log.outcomes_of_decisions(GAME)).num_rows == 0


def test_one_decision_is_found_by_its_id(tmp_path: Path) -> None:
    written = simulated_log.write(tmp_path, SimulatedGame(players=5)).decisions.to_pylist()
    with open_log(str(tmp_path)) as log:
        assert repr(log.decision(written[7]["decision_id"])) == repr({**written[7], "game": GAME})
        assert log.decision(str(uuid.UUID(int=uuid.UUID(written[7]["decision_id"]).int ^ 1))) is None
        with pytest.raises(Misconfigured, match="'abc' is not a UUIDv7; give the `decision_id`"):
            log.decision("abc")


def test_side_files_are_read(tmp_path: Path) -> None:
    simulated_log.write(tmp_path, SimulatedGame(players=1))
    with open_log(str(tmp_path)) as log:
        ensemble = log.ensemble(GAME, simulated_log.ENSEMBLE)
        assert [model["name"] for model in ensemble["models"]] == list(simulated_log.MODELS)
        assert log.layout(GAME, ensemble["models"][0]["layout"])["features"] == list(simulated_log.FEATURES)
        assert log.offers(GAME, ensemble["offers"])["prices"] == [1.99, 4.99, 9.99, 19.99]
        with pytest.raises(NotFound, match=f"{tmp_path}/layouts/game=dragonfall/none.json: is missing"):
            log.layout(GAME, "none")


def test_folder_that_is_not_a_log_is_rejected_with_the_fix(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=f"{tmp_path}: is not a decision log: it has no folder decisions/; give"):
        open_log(str(tmp_path))
    with pytest.raises(Misconfigured, match="none: does not exist; give the folder"):
        open_log(str(tmp_path / "none"))
    with pytest.raises(Misconfigured, match="gs://logs: has an unknown scheme; give a folder or s3://BUCKET/PREFIX"):
        open_log("gs://logs")
    write_rows(tmp_path, DECISIONS, GAME, [{"decision_id": "a", "time": NOON}])
    with pytest.raises(Misconfigured, match="decisions/; give the folder above it"):
        open_log(str(tmp_path / "decisions"))


def test_range_without_decisions_names_the_range_of_the_log(tmp_path: Path) -> None:
    write_rows(tmp_path, DECISIONS, GAME, [{"decision_id": "a", "time": NOON}])
    expected = (
        f"{tmp_path}: has no decisions of dragonfall from 2026-11-03 00:00 UTC; "
        "it has some from 2026-11-02 12:00 UTC to 2026-11-02 13:00 UTC"
    )
    with open_log(str(tmp_path)) as log, pytest.raises(Misconfigured) as raised:
        log.decisions(GAME, datetime(2026, 11, 3, tzinfo=UTC))
    assert raised.value.faults == [expected]


def test_game_must_be_named_if_the_log_has_several(tmp_path: Path) -> None:
    write_rows(tmp_path, DECISIONS, "a", [{"decision_id": "a", "time": NOON}])
    with open_log(str(tmp_path)) as log:
        assert log.game() == "a"
        with pytest.raises(Misconfigured, match="has no game 'b'; known: a"):
            log.game("b")
        write_rows(tmp_path, DECISIONS, "b", [{"decision_id": "b", "time": NOON}])
        with pytest.raises(Misconfigured, match="has the games a, b; choose one with --game"):
            log.game()


def test_foreign_files_are_named(tmp_path: Path) -> None:
    write_rows(tmp_path, DECISIONS, GAME, [{"decision_id": "a", "time": NOON}])
    file = next(tmp_path.glob("**/*.parquet"))
    pq.write_table(pa.table({"a": [1]}), file.with_name("foreign.parquet"))
    newer = DECISION_SCHEMA.with_metadata({"mesh.schema_version": "2"}).empty_table()
    pq.write_table(newer, file.with_name("newer.parquet"))
    wrong = pa.schema([("time", pa.string())], metadata=DECISION_SCHEMA.metadata).empty_table()
    pq.write_table(wrong, file.with_name("wrong.parquet"))
    with open_log(str(tmp_path)) as log, pytest.raises(Misconfigured) as raised:
        log.decisions(GAME)
    texts = [fault.removeprefix(f"{file.parent}/") for fault in raised.value.faults]
    assert texts == [
        "foreign.parquet: is not a file of a decision log: its schema has no mesh.schema_version; "
        "move it out of the log, or restore it",
        "newer.parquet: has schema version 2, this program reads up to 1; install a newer one",
        "wrong.parquet: column time has the type string, not timestamp[us, tz=UTC]; "
        "move it out of the log, or restore it",
    ]


def test_incomplete_files_are_left_out(tmp_path: Path) -> None:
    write_rows(tmp_path, DECISIONS, GAME, [{"decision_id": "a", "time": NOON}])
    file = next(tmp_path.glob("**/*.parquet"))
    file.with_name(".b.parquet").write_bytes(b"PAR1")
    file.with_name("c.parquet.tmp").write_bytes(b"PAR1")
    with open_log(str(tmp_path)) as log:
        assert log.read(log.decisions(GAME)).num_rows == 1


def test_damage_inside_a_file_is_found_while_it_is_read(tmp_path: Path) -> None:
    simulated_log.write(tmp_path, SimulatedGame(players=200, days=1))
    file = next(tmp_path.glob("decisions/**/*.parquet"))
    content = bytearray(file.read_bytes())
    content[4:2000] = bytes(1996)
    file.write_bytes(content)
    with open_log(str(tmp_path)) as log, pytest.raises(Misconfigured, match=f"{file}: is damaged: .*; move it out"):
        log.read(log.decisions(GAME))


def test_log_in_s3_reads_as_the_same_log(tmp_path: Path, s3_store: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, s3_store.endpoint)
    simulated_log.write(tmp_path, SimulatedGame(players=20, days=1))
    bucket = "decision-log-read"
    s3_store.make_bucket(bucket)
    for file in tmp_path.glob("**/*.*"):
        s3_store.put(bucket, f"some/log/{file.relative_to(tmp_path)}", file.read_bytes())
    with open_log(str(tmp_path)) as local, open_log(f"s3://{bucket}/some/log/") as remote:
        assert remote.games() == local.games()
        for log in (local, remote):
            assert log.ensemble(GAME, simulated_log.ENSEMBLE)["game"] == GAME
        rows = [repr(log.read(log.decisions(GAME).order("decision_id")).to_pylist()) for log in (local, remote)]
        assert rows[0] == rows[1]
        with pytest.raises(NotFound, match=f"s3://{bucket}/some/log/layouts/game=dragonfall/none.json: is missing"):
            remote.layout(GAME, "none")
    shutil.rmtree(tmp_path / "decisions")
    with pytest.raises(Misconfigured, match=f"s3://{bucket}/other: is not a decision log"):
        open_log(f"s3://{bucket}/other")
    with pytest.raises(Misconfigured, match="no such bucket: no-such-bucket-here does not exist"):
        open_log("s3://no-such-bucket-here/log")


def test_log_in_s3_is_found_with_a_profile(tmp_path: Path, s3_store: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, "http://127.0.0.1:9")
    without_credentials(monkeypatch)
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3")
    config = tmp_path / "config"
    keys = "aws_access_key_id = test\naws_secret_access_key = test"
    config.write_text(f"[profile studio]\n{keys}\nregion = eu-central-1\nendpoint_url = {s3_store.endpoint}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_PROFILE", "studio")
    write_rows(tmp_path / "log", DECISIONS, GAME, [{"decision_id": "a", "time": NOON}])
    file = next(tmp_path.glob("**/*.parquet"))
    s3_store.make_bucket("decision-log-profile")
    s3_store.put("decision-log-profile", str(file.relative_to(tmp_path / "log")), file.read_bytes())
    with open_log("s3://decision-log-profile") as log:
        assert log.read(log.decisions(GAME, columns=["decision_id"])).to_pylist() == [{"decision_id": "a"}]


def test_failures_of_s3_are_explained(s3_store: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, "http://127.0.0.1:9")
    with pytest.raises(Unavailable, match=r"s3://logs/x: cannot connect to http://127\.0\.0\.1:9/logs: check"):
        open_log("s3://logs/x")
    use(monkeypatch, s3_store.endpoint)
    without_credentials(monkeypatch)
    with pytest.raises(Misconfigured, match="there are no credentials for S3: set AWS_PROFILE, or"):
        open_log("s3://logs/x")
