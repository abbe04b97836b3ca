"""Programs that tests run if they are installed: on the PATH, or built by make below build/."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = (ROOT / "build" / "go" / "bin", ROOT / "build" / "java")


def tool(name: str, how: str) -> str:
    """Returns the path of the program `name`; skips the test if it is not installed, and says `how` to install it."""
    program = shutil.which(name, path=os.pathsep.join((*map(str, FOLDERS), os.environ.get("PATH", ""))))
    if program is None:
        pytest.skip(f"{name} is not installed; {how}")
    return program
