"""A decorator for tests of code that waits: the clock of the event loop jumps to the next timer."""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec

from tests.supervisor.virtual_time import run

_Arguments = ParamSpec("_Arguments")


def in_virtual_time(test: Callable[_Arguments, Coroutine[Any, Any, None]]) -> Callable[_Arguments, None]:
    """Runs the async function `test` on an event loop of its own with a virtual clock."""

    @functools.wraps(test)
    def run_test(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> None:
        run(test(*args, **kwargs))

    return run_test
