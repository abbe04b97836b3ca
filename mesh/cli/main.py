"""Entry point of the `mesh` command: runs one command and turns errors into messages and exit codes."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from mesh.cli import parser
from mesh.cli.printable_streams import printable_streams
from mesh.printable import one_line

DONE, FAILED, MISCONFIGURED, INTERRUPTED = 0, 1, 2, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code: 0 done, 1 failed, 2 wrong input, 130 interrupted."""
    with printable_streams():
        arguments = parser.build().parse_args(argv)
        try:
            return _run(arguments)
        except KeyboardInterrupt:
            return INTERRUPTED
        except BrokenPipeError:
            # The reader closed the pipe, as `head` does. The flush at exit must not fail on the buffered rest.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return FAILED


def _run(arguments: Any) -> int:
    # Imported here because it imports gRPC, which takes longer than all of `mesh --help`.
    from mesh.errors import MeshError, Misconfigured

    try:
        code = _function(arguments.command)(arguments)
        sys.stdout.flush()
        return code
    except Misconfigured as error:
        print(*map(one_line, error.faults), sep="\n", file=sys.stderr)
        return MISCONFIGURED
    except MeshError as error:
        print(one_line(error.reason), file=sys.stderr)
        return FAILED


def _function(path: str) -> Callable[[Any], int]:
    """The function at `module:function`. Only the module of the command that runs is imported."""
    module, _, name = path.partition(":")
    function: Callable[[Any], int] = getattr(importlib.import_module(module), name)
    return function


if __name__ == "__main__":
    sys.exit(main())
