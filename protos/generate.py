"""`python -m protos.generate`: writes the Python stubs in mesh/wire; with --check, reports stubs that are not fresh.

The modules get a descriptor pool of their own. In protobuf's default pool a name can be registered only once in a
process, so tritonclient, which registers its own copy of the Open Inference Protocol, could not be imported together
with our stubs; nor could stubs that a game backend generates from offers.proto.
"""

from __future__ import annotations

import filecmp
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).parent.parent
STUBS = ROOT / "mesh" / "wire"
_DEFAULT_POOL, _OWN_POOL = "_descriptor_pool.Default()", "_descriptor_pool.DescriptorPool()"


def main(arguments: Sequence[str]) -> int:
    """Returns 0; with --check, 1 if a stub in mesh/wire differs from its contract."""
    if list(arguments) != ["--check"]:
        generate(ROOT)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        fresh = generate(Path(folder))
        names = sorted(path.name for path in fresh.iterdir())
        _, differing, missing = filecmp.cmpfiles(fresh, STUBS, names, shallow=False)
    if differing or missing:
        print(f"stale in mesh/wire: {', '.join(differing + missing)}; run `make protos` and commit", file=sys.stderr)
        return 1
    print(f"the {len(names)} stubs in mesh/wire are fresh")
    return 0


def generate(folder: Path) -> Path:
    """Writes the stubs of all contracts below `folder`; returns their folder, `folder`/mesh/wire."""
    contracts = [f"mesh/wire/{path.name}" for path in sorted((ROOT / "protos").glob("*.proto"))]
    outputs = [f"--{kind}_out={folder}" for kind in ("python", "pyi", "grpc_python")]
    if protoc.main(["protoc", f"-Imesh/wire={ROOT / 'protos'}", *outputs, *contracts]):
        raise SystemExit(1)
    for contract in contracts:
        _give_own_pool((folder / contract).with_name(f"{Path(contract).stem}_pb2.py"))
    return folder / "mesh" / "wire"


def _give_own_pool(module: Path) -> None:
    code = module.read_text(encoding="utf-8")
    if code.count(_DEFAULT_POOL) != 1:
        raise SystemExit(f"{module}: protoc generates other code than expected; adapt protos/generate.py")
    module.write_text(code.replace(_DEFAULT_POOL, _OWN_POOL), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
