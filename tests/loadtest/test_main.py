"""`python -m loadtest`: every error is reported in one line with the exit code of the command."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from loadtest import __main__ as program
from loadtest.errors import CannotMeasure
from loadtest.extra_packages import EXTRA_PACKAGES, INSTALL
from loadtest.micro.forest import command as forest
from mesh.errors import Misconfigured
from mesh.process import ProcessFailed

WITHOUT_EMULATORS = """
import sys
sys.modules["emulators"] = None
from loadtest.__main__ import main
sys.exit(main())
"""

WITHOUT_A_PACKAGE = """
import runpy, sys
sys.modules["{package}"] = None
runpy.run_module("{module}", run_name="__main__", alter_sys=True)
"""


@pytest.mark.parametrize(
    ("error", "lines"),
    [
        (CannotMeasure("no answer"), ["no answer"]),
        (ProcessFailed("the holder ended with exit code 1"), ["the holder ended with exit code 1"]),
        (Misconfigured(["one fault", "another fault"]), ["one fault", "another fault"]),
    ],
)
def test_error_is_one_line_per_fault_and_exit_code_2(
    error: Exception, lines: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr(forest, "find_libraries", fail)
    monkeypatch.setattr("sys.argv", ["loadtest", "forest"])
    assert program.main() == 2
    assert capsys.readouterr().err.splitlines() == lines


@pytest.mark.parametrize("command", ["features", "outages"])
def test_command_that_needs_a_checkout_is_one_line_and_exit_code_2_without_it(command: str) -> None:
    words = [sys.executable, "-c", WITHOUT_EMULATORS, command, "--seconds", "1"]
    ended = subprocess.run(words, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    (line,) = ended.stderr.splitlines()
    assert line.startswith(f"`loadtest {command}` needs the package emulators")
    assert "run it in a checkout" in line


@pytest.mark.parametrize(("command", "package"), [("run", "plotly"), ("compare", "plotly"), ("locust", "locust")])
def test_missing_package_is_one_line_with_the_command_that_installs_it(command: str, package: str) -> None:
    module = "loadtest.swarm" if command == "locust" else "loadtest"
    words = [sys.executable, "-c", WITHOUT_A_PACKAGE.format(package=package, module=module), command]
    ended = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (2, "")
    (line,) = ended.stderr.splitlines()
    assert line.startswith(f"`loadtest {command}` needs the package {package}; run `pip install ")


@pytest.mark.parametrize("package", EXTRA_PACKAGES)
def test_command_that_installs_the_packages_names_those_of_the_extra(package: str) -> None:
    extra = tomllib.loads(Path("pyproject.toml").read_text())["project"]["optional-dependencies"]["loadtest"]
    assert len(extra) == len(EXTRA_PACKAGES)
    assert any(one.startswith(package) and f"'{one}'" in INSTALL for one in extra)


@pytest.mark.parametrize("command", list(program.COMMANDS))
def test_every_command_has_a_description_and_options(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["loadtest", command, "--help"])
    with pytest.raises(SystemExit) as ended:
        program.main()
    assert ended.value.code == 0
    assert "--json" in capsys.readouterr().out


def test_help_lists_every_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["loadtest", "--help"])
    with pytest.raises(SystemExit) as ended:
        program.main()
    assert ended.value.code == 0
    output = capsys.readouterr().out
    assert all(command in output for command in (program.LOCUST, *program.COMMANDS))
