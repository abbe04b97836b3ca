"""Real workers that start with kept proofs."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from model_worker.proof_facts import ProofFacts
from tests.forests import TrainedForest
from tests.model_worker.processes import RunningWorker, run, start, worker_process

REPLICAS = 4

pytestmark = pytest.mark.usefixtures("engine")


def proofs_in(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.json"))


async def served_with(model: Path, *arguments: str) -> tuple[str, str]:
    """Starts and stops a worker; returns its engine and its stderr."""
    outcome = await start(model, *arguments)
    assert isinstance(outcome, RunningWorker), outcome
    code, stderr = await outcome.stop()
    assert code == 0
    return outcome.engine.name, stderr


@pytest.fixture
def trial_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that gets a line for each child that tries a model."""
    log, folder = tmp_path / "trials", tmp_path / "python"
    folder.mkdir()
    # A worker starts its child through subprocess.Popen; the audit event names the command.
    (folder / "sitecustomize.py").write_text(
        "import sys\n"
        "def note(event, arguments):\n"
        "    if event == 'subprocess.Popen' and any('trial.py' in str(word) for word in arguments[1]):\n"
        f"        open({str(log)!r}, 'a').write('trial\\n')\n"
        "sys.addaudithook(note)\n"
    )
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]))
    log.touch()
    return log


def trials(log: Path) -> int:
    return len(log.read_text().splitlines())


async def test_second_start_reads_the_proof_of_the_first(model_path: Path, tmp_path: Path, trial_log: Path) -> None:
    proofs = tmp_path / "proofs"
    assert (await served_with(model_path, "--proofs", str(proofs)))[0] == "forest"
    assert (len(proofs_in(proofs)), trials(trial_log)) == (1, 1)
    assert (await served_with(model_path, "--proofs", str(proofs)))[0] == "forest"
    assert trials(trial_log) == 1


async def test_damaged_proof_is_made_again_with_one_line(model_path: Path, tmp_path: Path, trial_log: Path) -> None:
    proofs = tmp_path / "proofs"
    await served_with(model_path, "--proofs", str(proofs))
    (path,) = proofs_in(proofs)
    sound = path.read_bytes()
    path.write_bytes(sound[:-1])
    _, stderr = await served_with(model_path, "--proofs", str(proofs))
    assert stderr.count("not trusted") >= 1
    assert stderr.count("\n") == 3, stderr  # the proof, the engine, and the end of the drain
    assert trials(trial_log) == 2
    assert path.read_bytes() == sound


async def test_proof_for_another_engine_is_not_used(model_path: Path, tmp_path: Path, trial_log: Path) -> None:
    proofs = tmp_path / "proofs"
    await served_with(model_path, "--proofs", str(proofs))
    (path,) = proofs_in(proofs)
    document: dict[str, Any] = json.loads(path.read_text().splitlines()[0])
    other = ProofFacts(**{**document["facts"], "engine": "0" * 64})
    path.rename(proofs / f"{other.key}.json")
    await served_with(model_path, "--proofs", str(proofs))
    assert trials(trial_log) == 2


async def test_proofs_can_be_switched_off(model_path: Path, trial_log: Path) -> None:
    for _ in range(2):
        await served_with(model_path, "--proofs", "")
    assert trials(trial_log) == 2


async def test_workers_that_start_together_prove_a_model_once(
    binary: TrainedForest, tmp_path: Path, trial_log: Path
) -> None:
    arguments = ("--proofs", str(tmp_path / "proofs"))
    outcomes = await asyncio.gather(*(start(binary.path, *arguments) for _ in range(REPLICAS)))
    for outcome in outcomes:
        assert isinstance(outcome, RunningWorker)
        assert outcome.engine.name == "forest"
        await outcome.stop()
    assert trials(trial_log) == 1


async def test_worker_proves_by_itself_if_the_other_worker_ends_during_its_proof(
    binary: TrainedForest, tmp_path: Path, trial_log: Path
) -> None:
    arguments = ("--proofs", str(tmp_path / "proofs"))
    first = await run("--name", "forest", "--uri", str(binary.path), *arguments)
    while not trials(trial_log):  # noqa: ASYNC110 (a file has no event to wait for)
        await asyncio.sleep(0.005)
    first.kill()
    await first.communicate()
    assert (await served_with(binary.path, *arguments))[0] == "forest"
    assert trials(trial_log) == 2


async def test_program_that_proves_makes_proofs_for_workers(model_path: Path, tmp_path: Path, trial_log: Path) -> None:
    brought, own = tmp_path / "brought", tmp_path / "own"
    command = (sys.executable, "-m", "model_worker.prove", "--proofs", str(brought), str(model_path), "missing.txt")
    program = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    output, _ = await program.communicate()
    proved, missing = (json.loads(line) for line in output.splitlines())
    assert program.returncode == 3
    assert (proved["engine_reason"], proved["warnings"]) == ("", [])
    assert "No such file" in missing["refused"]
    async with worker_process(model_path, "--proofs", str(own), "--trusted-proofs", str(brought)) as worker:
        assert worker.engine.name == "forest"
    assert trials(trial_log) == 1
    assert not own.exists() or proofs_in(own) == []


async def test_program_that_proves_refuses_the_headers_that_workers_refuse(
    binary: TrainedForest, tmp_path: Path
) -> None:
    (path := tmp_path / "twice.txt").write_bytes(binary.path.read_bytes().replace(b"Column_1", b"Column_0", 1))
    command = (sys.executable, "-m", "model_worker.prove", "--proofs", "", str(path))
    program = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    output, _ = await program.communicate()
    assert (program.returncode, "different names" in json.loads(output)["refused"]) == (3, True)
