"""Messages of kubectl: recognizes that it cannot reach a cluster, and gives the fix."""

from __future__ import annotations

# Parts of the messages of kubectl and of its HTTP client, in lower case.
_UNREACHABLE = (
    "connection refused",
    "the connection to the server",
    "unable to connect to the server",
    "no such host",
    "context was not found",
    "no configuration has been provided",
)
_NO_CONTEXT = ('context "', "does not exist")


def is_unreachable(message: str) -> bool:
    """Returns whether `message` means that there is no cluster, or that its context does not exist."""
    lower = message.lower()
    return any(part in lower for part in _UNREACHABLE) or all(part in lower for part in _NO_CONTEXT)


def unreachable(message: str) -> str:
    """Returns the error with its fix; `message` is the output of kubectl, of which it shows the last line."""
    fix = "check `kubectl config current-context`, or give --context"
    return f"kubectl cannot reach a cluster; {fix} ({message.strip().splitlines()[-1]})"
