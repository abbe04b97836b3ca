"""The errors that a caller sees. Failures of the mesh are not among them: they give the application's fallback."""

from __future__ import annotations

# Codes of google.rpc.Code that no repetition changes: the request must be corrected.
WRONG_CODES = frozenset({3, 5, 9, 12})  # INVALID_ARGUMENT, NOT_FOUND, FAILED_PRECONDITION, UNIMPLEMENTED
INVALID_ARGUMENT, RESOURCE_EXHAUSTED = 3, 8


class WrongRequest(Exception):
    """The request is wrong; the text names the field and the fix. `code` is the number of the gRPC status."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
