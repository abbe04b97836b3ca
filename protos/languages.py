"""The stubs of the clients in Go and Java, and the copy of the contract in the client in Node."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
CONTRACT = ROOT / "protos" / "offers.proto"
FOLDERS = (ROOT / "build" / "go" / "bin", ROOT / "build" / "java")  # `make grpc-tools` installs the generators there
_GO = ("Moffers.proto=ensemble-mesh/clients/go/offersv1", "module=ensemble-mesh/clients/go")


@dataclass(frozen=True, slots=True)
class Language:
    """Stubs in `folder` below `top`. protoc writes `kinds` with the plugins in `needs`; without kinds, it is a copy."""

    name: str
    top: str
    folder: str
    kinds: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()

    @property
    def missing(self) -> list[str]:
        """The generators that are not installed."""
        return [name for name in self.needs if _program(name) is None]

    def write(self, top: Path) -> None:
        """Writes the stubs below `top`; their generators must be installed."""
        top.mkdir(parents=True, exist_ok=True)
        if not self.kinds:
            shutil.copyfile(CONTRACT, top / self.folder)
            return
        protoc, *plugins = (str(_program(name)) for name in self.needs)
        command = [protoc, f"-I{CONTRACT.parent}", CONTRACT.name]
        command += [f"--plugin={Path(plugin).name}={plugin}" for plugin in plugins]
        command += [f"--{kind}_out={top}" for kind in self.kinds]
        command += [f"--{kind}_opt={option}" for kind in self.kinds for option in self.options]
        subprocess.run(command, check=True)

    def stale(self) -> list[str]:
        """Returns the files that differ from what the generators write, or that they do not write."""
        with tempfile.TemporaryDirectory() as folder:
            self.write(Path(folder))
            fresh = dict(_files(Path(folder), Path(folder, self.folder)))
        here = dict(_files(ROOT / self.top, ROOT / self.top / self.folder))
        names = sorted(name for name in fresh.keys() | here.keys() if fresh.get(name) != here.get(name))
        return [f"{self.top}/{name}" for name in names]


LANGUAGES = (
    Language(
        "Go",
        "clients/go",
        "offersv1",
        ("go", "go-grpc"),
        _GO,
        ("protoc", "protoc-gen-go", "protoc-gen-go-grpc"),
    ),
    Language(
        "Java",
        "clients/java/src/main/java",
        "ensemblemesh/offers",
        ("java", "grpc-java"),
        (),
        ("protoc", "protoc-gen-grpc-java"),
    ),
    Language("Node", "clients/node/src", "offers.proto"),
)


def _program(name: str) -> str | None:
    path = os.pathsep.join((*map(str, FOLDERS), os.environ.get("PATH", "")))
    return shutil.which(name, path=path)


def _files(top: Path, below: Path) -> Iterator[tuple[str, bytes]]:
    for path in [below] if below.is_file() else below.rglob("*"):
        if path.is_file():
            yield str(path.relative_to(top)), path.read_bytes()
