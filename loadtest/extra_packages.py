"""The packages of the extra `loadtest`, which the mesh itself does not need."""

from __future__ import annotations

EXTRA_PACKAGES = ("locust", "plotly")
INSTALL = "pip install 'locust>=2.40' 'plotly>=6'"


def not_installed(command: str, package: str) -> str:
    """The message that `package` is missing, with the command that installs it."""
    return f"`loadtest {command}` needs the package {package}; run `{INSTALL}` in the environment of mesh"
