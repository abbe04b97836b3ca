"""`mesh top` in a pseudo-terminal: keys, sizes, and the terminal after every end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from mesh.cli.main import main
from tests.mesh.cli.top.mesh_pages import page
from tests.mesh.cli.top.pty_program import PtyProgram, pty_program

TOP = (sys.executable, "-m", "mesh.cli.main", "top")
SECOND_SCREEN, CURSOR = "?1049", "?25"


class Pages(BaseHTTPRequestHandler):
    """A supervisor's metrics that grow with each read."""

    reads = 0

    def do_GET(self) -> None:
        Pages.reads += 1
        self.send_response(200)
        self.end_headers()
        self.wfile.write(page(Pages.reads).encode())

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def served(port: int = 0) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", port), Pages)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def metrics() -> Iterator[str]:
    with served() as address:
        yield address


@pytest.fixture
def top(metrics: str) -> Iterator[PtyProgram]:
    with pty_program([*TOP, "--metrics", metrics]) as program:
        program.wait_for(lambda lines: any("whales" in line for line in lines))
        yield program


def assert_restored(top: PtyProgram) -> None:
    assert top.modes() == top.modes_before
    top._reader.join(0.5)  # the last output is read
    assert top.screen.modes >= {CURSOR}
    assert SECOND_SCREEN not in top.screen.modes


def test_terminal_is_taken_and_given_back_at_q(top: PtyProgram) -> None:
    assert SECOND_SCREEN in top.screen.modes
    assert CURSOR not in top.screen.modes
    assert top.modes() != top.modes_before
    top.press(b"q")
    assert top.end() == (0, "")
    assert_restored(top)
    assert top.screen.unknown == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGINT])
def test_terminal_is_given_back_at_a_signal(top: PtyProgram, number: signal.Signals) -> None:
    top.process.send_signal(number)
    code = 0 if number == signal.SIGINT else -number
    assert top.end() == (code, "")
    assert_restored(top)


def test_terminal_is_given_back_while_the_process_is_stopped(top: PtyProgram) -> None:
    top.process.send_signal(signal.SIGTSTP)
    _, status = os.waitpid(top.process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    assert_restored(top)
    top.process.send_signal(signal.SIGCONT)
    top.wait_for(lambda _: SECOND_SCREEN in top.screen.modes)
    top.press(b"?")
    top.wait_for(lambda lines: any("quit" in line for line in lines[:3]))
    top.press(b"q")
    assert top.end() == (0, "")
    assert_restored(top)


def test_closed_terminal_ends_the_program(top: PtyProgram) -> None:
    top.hang_up()
    code, errors = top.end()
    assert code != 0
    assert errors == ""


def test_exception_gives_the_terminal_back(metrics: str) -> None:
    broken = "import mesh.cli.top.live as live, mesh.cli.main as main; live.keys = lambda data: 1 // (data != b'x')"
    command = [sys.executable, "-c", f"{broken}; main.main(['top', '--metrics', '{metrics}'])"]
    with pty_program(command) as top:
        top.wait_for(lambda lines: any("whales" in line for line in lines))
        top.press(b"x")
        code, errors = top.end()
        assert code == 1
        assert "Error" in errors
        assert_restored(top)


def test_keys_sort_select_pause_and_help(top: PtyProgram) -> None:
    top.press(b"s")
    top.wait_for(lambda lines: "models, by name" in "\n".join(lines))
    top.press(b"\t\t")
    top.wait_for(lambda lines: "g/2" in lines[0] and not any("whales" in line for line in lines))
    top.press(b"\x1b[D\x1b[D?")
    top.wait_for(lambda lines: lines[1].startswith("q "))
    top.press(b"?p")
    top.wait_for(lambda lines: "PAUSED" in lines[0] and any("whales" in line for line in lines))
    top.press(b"p")
    top.wait_for(lambda lines: "PAUSED" not in lines[0])


@pytest.mark.parametrize(("columns", "lines"), [(40, 10), (200, 60), (80, 24), (20, 4), (1, 1)])
def test_view_fits_the_terminal_after_a_resize(top: PtyProgram, columns: int, lines: int) -> None:
    top.resize(columns, lines)
    top.wait_for(lambda shown: len(shown) == lines and all(len(line) <= columns for line in shown))
    if lines > 4:
        top.press(b"\x1b[F")
        top.wait_for(lambda shown: any("own" in line.split() for line in shown))
    top.press(b"q")
    assert top.end() == (0, "")


def test_colours_are_off_with_no_color(metrics: str) -> None:
    for environment, has_colours in (({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True)):
        with pty_program([*TOP, "--metrics", metrics], environment=environment) as top:
            top.wait_for(lambda lines: any(line.startswith("! ") and "whales" in line for line in lines))
            assert bool(top.screen.colours & {"31", "33"}) == has_colours


def test_silent_supervisor_is_named_and_does_not_block_the_view(metrics: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts connections and never answers
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        with pty_program([*TOP, "--metrics", f"{address},{metrics}"], size=(160, 50)) as top:
            lines = top.wait_for(lambda shown: any("whales" in line for line in shown) and "1 of 2" in shown[0])
            assert any(line.startswith(f"! supervisor {address}: ") and "timed out" in line for line in lines)
            top.press(b"s")
            top.wait_for(lambda shown: "models, by name" in "\n".join(shown))


def test_supervisor_that_ends_is_named_until_it_comes_back(metrics: str) -> None:
    with ExitStack() as stack:
        with served() as other:
            top = stack.enter_context(pty_program([*TOP, "--metrics", f"{metrics},{other}"], size=(160, 50)))
            top.wait_for(lambda shown: "2 of 2" in "".join(shown[:1]))
        lines = top.wait_for(lambda shown: "1 of 2" in shown[0])
        assert any(line.startswith(f"! supervisor {other}: cannot read metrics at ") for line in lines)
        with served(int(other.rpartition(":")[2])):
            top.wait_for(lambda shown: "2 of 2" in shown[0])


def test_output_to_a_pipe_has_no_escapes(metrics: str) -> None:
    for options in ([], ["--json"]):
        command = [*TOP, "--metrics", metrics, "--once", *options]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        assert "whales" in done.stdout
        assert "\x1b" not in done.stdout


def test_pipe_that_is_closed_ends_the_program(metrics: str) -> None:
    with subprocess.Popen(
        [*TOP, "--metrics", metrics], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as program:
        assert program.stdout is not None
        assert program.stderr is not None
        assert program.stdout.readline().startswith("mesh top  ")
        program.stdout.close()
        assert program.wait(30) == 1
        assert program.stderr.read() == ""


def test_mesh_that_does_not_answer_at_the_start_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        address = f"127.0.0.1:{unused.getsockname()[1]}"
    assert main(["top", "--metrics", address, "--once"]) == 1
    assert capsys.readouterr().err.startswith(f"cannot read metrics at {address}: ")


def test_empty_address_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["top", "--metrics", "a:1,,b:2"])
    assert "has an empty address; give HOST:PORT" in capsys.readouterr().err
