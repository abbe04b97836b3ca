"""`python -m loadtest.micro.log_lines`: the CPU of a log line, as text and as JSON, on the thread that logs it."""

from __future__ import annotations

import logging
import timeit
from collections.abc import Callable

from mesh.logs.formats import JsonFormatter, OneLineFormatter

_CALLS, _REPEATS = 2_000, 7
_FORMATS: dict[str, Callable[[], logging.Formatter]] = {"text": OneLineFormatter, "json": JsonFormatter}


def main() -> None:
    """Prints microseconds of each format, the best of seven runs, without the write, which is on a thread."""
    for name, formatter in _FORMATS.items():
        print(f"{name}: {_best_us(formatter()):.1f} us a line")


def _best_us(formatter: logging.Formatter) -> float:
    def call() -> str:
        arguments = ("m07", "10.0.3.17:9000", "the replica ended the stream")
        return formatter.format(
            logging.LogRecord("supervisor.lane", logging.WARNING, __file__, 1, "%s at %s is down: %s", arguments, None)
        )

    return min(timeit.repeat(call, number=_CALLS, repeat=_REPEATS)) / _CALLS * 1e6


if __name__ == "__main__":
    main()
