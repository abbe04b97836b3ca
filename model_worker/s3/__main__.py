"""The child that downloads a model: prints its path, or why there is none; `order.Order` says what it is told."""

import asyncio
import ctypes
import signal
import sys

from mesh.model_file import BadModel
from model_worker.s3.fetch import fetch
from model_worker.s3.order import read

_REFUSED = 1
_PR_SET_PDEATHSIG = 1


def main() -> int:
    _die_with_parent()
    try:
        print(asyncio.run(fetch(read(sys.argv[1:]))))
    except BadModel as error:
        print(error)
        return _REFUSED
    return 0


def _die_with_parent() -> None:
    """What is fetched for nobody is not fetched; elsewhere than on Linux, the budget ends it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
