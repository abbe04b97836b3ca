"""`python -m protos.generate`: writes the stubs of the mesh and of its clients; with --check, reports stale ones.

The stubs for Go and Java need generators, which `make grpc-tools` installs; without them, these stubs are skipped.

The modules get a descriptor pool of their own. In protobuf's default pool a name can be registered only once in a
process, so tritonclient, which registers its own copy of the Open Inference Protocol, could not be imported together
with our stubs; nor could stubs that a game backend generates from offers.proto.
"""

from __future__ import annotations

import filecmp
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from grpc_tools import protoc

from protos.languages import LANGUAGES

ROOT = Path(__file__).parent.parent
_DEFAULT_POOL, _OWN_POOL = "_descriptor_pool.Default()", "_descriptor_pool.DescriptorPool()"


@dataclass(frozen=True, slots=True)
class Stubs:
    """Stubs of `contracts` in the package `package` below `root`; `kinds` are the outputs of protoc."""

    root: str
    package: str
    contracts: str
    kinds: tuple[str, ...]

    @property
    def folder(self) -> Path:
        """The folder of the stubs, below the root of the repository."""
        return Path(self.root, self.package)


ALL = (
    Stubs("", "mesh/wire", "*.proto", ("python", "pyi", "grpc_python")),
    Stubs("clients/python", "ensemble_mesh_client/wire", "offers.proto", ("python", "pyi")),
)


def main(arguments: Sequence[str]) -> int:
    """Returns 0; with --check, 1 if a stub differs from its contract."""
    others = [one for one in LANGUAGES if not one.missing]
    for one in LANGUAGES:
        if one.missing:
            print(
                f"the stubs for {one.name} are skipped: {' and '.join(one.missing)} not installed (`make grpc-tools`)"
            )
    if list(arguments) != ["--check"]:
        for stubs in ALL:
            generate(stubs, ROOT)
        for one in others:
            one.write(ROOT / one.top)
        return 0
    stale = [name for stubs in ALL for name in _stale(stubs)]
    stale += [name for one in others for name in one.stale()]
    if stale:
        print(f"stale: {', '.join(stale)}; run `make protos` and commit", file=sys.stderr)
        return 1
    folders = [str(stubs.folder) for stubs in ALL] + [f"{one.top}/{one.folder}" for one in others]
    print(f"the stubs in {', '.join(folders)} are fresh")
    return 0


def generate(stubs: Stubs, top: Path) -> Path:
    """Writes `stubs` below the folder `top`; returns their folder."""
    contracts = [f"{stubs.package}/{path.name}" for path in sorted((ROOT / "protos").glob(stubs.contracts))]
    root = top / stubs.root
    root.mkdir(parents=True, exist_ok=True)
    outputs = [f"--{kind}_out={root}" for kind in stubs.kinds]
    if protoc.main(["protoc", f"-I{stubs.package}={ROOT / 'protos'}", *outputs, *contracts]):
        raise SystemExit(1)
    for contract in contracts:
        _give_own_pool((root / contract).with_name(f"{Path(contract).stem}_pb2.py"))
    return top / stubs.folder


def _stale(stubs: Stubs) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        fresh = generate(stubs, Path(folder))
        names = sorted(path.name for path in fresh.iterdir())
        _, differing, missing = filecmp.cmpfiles(fresh, ROOT / stubs.folder, names, shallow=False)
    return [str(stubs.folder / name) for name in (*differing, *missing)]


def _give_own_pool(module: Path) -> None:
    code = module.read_text(encoding="utf-8")
    if code.count(_DEFAULT_POOL) != 1:
        raise SystemExit(f"{module}: protoc generates other code than expected; adapt protos/generate.py")
    module.write_text(code.replace(_DEFAULT_POOL, _OWN_POOL), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
