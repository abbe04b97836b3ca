from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from model_worker import proof_facts as module
from model_worker.proof import trial_command
from model_worker.proof_facts import proof_facts


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    for name in ("lightgbm", "engine"):
        (tmp_path / name).write_text(name)
    return str(tmp_path / "lightgbm"), str(tmp_path / "engine")


def test_facts_are_the_same_at_each_start(files: tuple[str, str]) -> None:
    assert proof_facts("m", *files) == proof_facts("m", *files)


def test_each_input_changes_the_key(files: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {proof_facts("m", *files).key, proof_facts("other", *files).key, proof_facts("m", files[0], None).key}
    for path in files:
        Path(path).write_text("changed")
        keys.add(proof_facts("m", *files).key)
    for name in ("_cpu", "_system", "_digest_of_sources"):
        monkeypatch.setattr(module, name, lambda: "changed")
        keys.add(proof_facts("m", *files).key)
    assert len(keys) == 8


def test_facts_include_the_flags_of_the_processor(tmp_path: Path) -> None:
    intel = "processor : 0\nmodel : 1\nflags : sse avx2\ncpu MHz : {}\n\nprocessor : 1\nflags : none\n"
    cpus = []
    for number, text in enumerate((intel.format(1), intel.format(2), intel.replace("avx2", "avx512f"))):
        (path := tmp_path / str(number)).write_text(text)
        cpus.append(module._cpu(str(path)))
    assert cpus[0] == cpus[1]
    assert cpus[0] != cpus[2]


def test_facts_include_every_source_file_of_the_child(model_path: Path, library: str, engine: str) -> None:
    script = (
        "import runpy, sys\nsys.argv = sys.argv[1:]\n"
        "try:\n    runpy.run_path(sys.argv[0], run_name='__main__')\n"
        "except SystemExit as end:\n    assert not end.code, end.code\n"
        "print(*(m.__file__ for m in list(sys.modules.values()) if getattr(m, '__file__', None)), sep='\\n')"
    )
    *_, trial, one, two, three, four, five = trial_command(library, 2048, 60, engine)
    with model_path.open("rb") as model:
        command = [sys.executable, "-I", "-S", "-c", script, trial, one, two, three, four, five]
        output = subprocess.run(command, stdin=model, capture_output=True, text=True, check=True).stdout
    folder = Path(module.__file__).parent
    used = {Path(line) for line in output.splitlines() if line.startswith(str(folder))} | {Path(trial)}
    assert {str(path.relative_to(folder)) for path in used} == set(module._SOURCES)
