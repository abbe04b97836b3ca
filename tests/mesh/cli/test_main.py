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


def test_version_option_prints_the_version_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code("--version") == 0
    assert capsys.readouterr().out == f"ensemble-mesh {__version__}\n"


@pytest.mark.parametrize(
    "words",
    [
        *((), ("up",), ("offer",), ("score",), ("status",), ("publish",)),
        *(("features",), ("features", "load"), ("features", "get")),
        *(("catalog",), ("catalog", "check"), ("catalog", "schema")),
    ],
)
def test_every_command_has_a_help_text(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(*words, "--help") == 0
    assert capsys.readouterr().out.startswith(" ".join(("usage: mesh", *words)))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("up", "f", "--replicas", "0"), "'0' is not a whole number of at least 1"),
        (("up", "f", "--port", "70000"), "'70000' is not a port number from 0 to 65535"),
        (
            ("score", "--game", "g", "--player", "p", "--deadline-ms", "0"),
            "'0' is not a number of milliseconds above 0",
        ),
        ((), "COMMAND"),
    ],
)
def test_wrong_options_are_reported_with_exit_code_two(
    words: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code(*words) == 2
    assert message in capsys.readouterr().err


def test_help_imports_no_heavy_package() -> None:
    script = "import sys; from mesh.cli import main, parser; parser.build(); print(*sys.modules)"

    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()

    assert {"grpc", "pyarrow", "rich", "pydantic", "google.protobuf"}.isdisjoint(loaded)


def test_reader_that_closes_the_pipe_early_causes_no_error_message() -> None:
    with subprocess.Popen([*MESH, "catalog", "schema"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == b""
