"""`python -m loadtest.micro.log_lines`: the CPU of a log line, as text and as JSON, on the thread that logs it."""

from __future__ import annotations

import logging
from collections.abc import Callable

from loadtest.micro.timing import best_us
from mesh.logs.formats import JsonFormatter, OneLineFormatter

_FORMATS: dict[str, Callable[[], logging.Formatter]] = {"text": OneLineFormatter, "json": JsonFormatter}


def main() -> None:
    """Prints microseconds of each format, the best of seven runs, without the write, which is on a thread."""
    for name, formatter in _FORMATS.items():
        print(f"{name}: {_us_a_line(formatter()):.1f} us a line")


def _us_a_line(formatter: logging.Formatter) -> float:
    def call() -> str:
        arguments = ("m07", "10.0.3.17:9000", "the replica ended the stream")
        return formatter.format(
            logging.LogRecord("supervisor.lane", logging.WARNING, __file__, 1, "%s at %s is down: %s", arguments, None)
        )

    return best_us(call)


if __name__ == "__main__":
    main()
