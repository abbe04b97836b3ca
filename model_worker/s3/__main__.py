"""The child process that downloads a model: prints the path of the file, or the reason of the failure.

`fetch_request.FetchRequest` describes its arguments.
"""

import asyncio
import sys

from mesh.model_file import BadModel
from model_worker.child_process import end_with_parent
from model_worker.s3.fetch import fetch
from model_worker.s3.fetch_request import parse_arguments

_EXIT_FAILED = 1


def main() -> int:
    end_with_parent()  # on other systems than Linux, the time limit ends the download
    try:
        print(asyncio.run(fetch(parse_arguments(sys.argv[1:]))))
    except BadModel as error:
        print(error)
        return _EXIT_FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main())
