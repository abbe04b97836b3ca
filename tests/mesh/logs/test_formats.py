"""Log lines: one for each record, whatever the record contains, and without credentials of libraries."""

from __future__ import annotations

import json
import logging
import subprocess
import sys

from mesh.logs.formats import JsonFormatter, OneLineFormatter

FORGED = "x\n2026-01-01 00:00:00,000 INFO supervisor forged\r\x1b[2J\u2028\u202e"


def formatted(message: str, *arguments: object, error: BaseException | None = None) -> str:
    raised = (type(error), error, error.__traceback__) if error is not None else None
    record = logging.LogRecord("mesh\nlogger", logging.ERROR, "file", 1, message, arguments, raised)
    return OneLineFormatter().format(record)


def test_a_record_is_one_line() -> None:
    (line,) = formatted("%s: %r failed", FORGED, FORGED).splitlines()
    assert r"x\n2026-01-01 00:00:00,000 INFO supervisor forged\r\u001b[2J\u2028\u202e" in line


def test_no_line_of_a_traceback_looks_like_a_record() -> None:
    try:
        raise ValueError(FORGED)
    except ValueError as error:
        first, *others = formatted("failed", error=error).splitlines()
    assert first.endswith("failed")
    assert all(line.startswith("  ") for line in others)
    assert others[0] == "  Traceback (most recent call last):"
    assert any("2026-01-01" in line for line in others)


def test_a_stack_is_indented() -> None:
    record = logging.LogRecord("mesh", logging.ERROR, "file", 1, "here", (), None, sinfo="Stack:\nforged")
    assert OneLineFormatter().format(record).endswith("here\n  Stack:\n  forged")


def test_passwords_of_urls_are_not_logged() -> None:
    assert "hunter2" not in formatted("cannot connect to %s", "https://me:hunter2@store.example/x")


def test_debug_does_not_log_the_headers_of_requests_to_aws() -> None:
    code = (
        "import logging; from mesh.logs.setup import log_to_stderr; log_to_stderr('debug');"
        "logging.getLogger('botocore.auth').debug('x-amz-security-token:SECRET');"
        "logging.getLogger('aiobotocore.endpoint').debug('SECRET'); logging.getLogger('mesh').debug('ours')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "SECRET" not in done.stderr
    assert done.stderr.endswith("DEBUG mesh ours\n")


def test_json_has_stable_keys_and_the_ids_of_the_record() -> None:
    record = logging.LogRecord("supervisor.cohort", logging.WARNING, "file", 1, "%s is %d", ("p\n", 2), None)
    record.created, record.trace_id, record.other = 1764356645.25, "4bf9", "not a key"
    assert json.loads(JsonFormatter().format(record)) == {
        "time": "2025-11-28T19:04:05.250Z",
        "level": "warning",
        "logger": "supervisor.cohort",
        "message": "p\n is 2",
        "trace_id": "4bf9",
    }


def test_json_is_one_line_with_its_traceback() -> None:
    try:
        raise ValueError(FORGED)
    except ValueError as error:
        raised = (type(error), error, error.__traceback__)
    record = logging.LogRecord("mesh", logging.ERROR, "file", 1, "failed", (), raised)
    line = JsonFormatter().format(record)
    assert line.isascii()
    assert len(line.splitlines()) == 1
    assert "Traceback (most recent call last)" in json.loads(line)["exception"]
