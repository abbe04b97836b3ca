import subprocess
import sys

import pytest

from mesh import __version__
from mesh.cli.main import main

MESH = [sys.executable, "-m", "mesh.cli.main"]


def exit_code(*words: str) -> object:
    with pytest.raises(SystemExit) as caught:
        main(words)
    return caught.value.code


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code("--version") == 0
    assert capsys.readouterr().out == f"ensemble-mesh {__version__}\n"


@pytest.mark.parametrize(
    "words", [(), ("up",), ("offer",), ("score",), ("status",), ("features", "load"), ("catalog", "check")]
)
def test_every_command_explains_itself(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(*words, "--help") == 0
    assert capsys.readouterr().out.startswith(" ".join(("usage: mesh", *words)))


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("up", "f", "--replicas", "0"), "'0' is not a number of at least 1"),
        (("up", "f", "--port", "70000"), "'70000' is not a port, 0 to 65535"),
        (
            ("score", "--game", "g", "--player", "p", "--deadline-ms", "0"),
            "'0' is not a number of milliseconds above 0",
        ),
        ((), "COMMAND"),
    ],
)
def test_wrong_words_are_told_and_exit_with_two(
    words: tuple[str, ...], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code(*words) == 2
    assert complaint in capsys.readouterr().err


def test_help_imports_nothing_heavy() -> None:
    script = "import sys; from mesh.cli import main, parser; parser.build(); print(*sys.modules)"

    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()

    assert {"grpc", "pyarrow", "rich", "pydantic", "google.protobuf"}.isdisjoint(loaded)


def test_a_reader_that_leaves_early_is_no_error() -> None:
    with subprocess.Popen([*MESH, "catalog", "schema"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == b""
