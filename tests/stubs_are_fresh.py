"""`python -m tests.stubs_are_fresh`: whether mesh/wire is what protoc makes of protos/ today."""

from __future__ import annotations

import filecmp
import sys
import tempfile
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).parent.parent
COMMITTED = ROOT / "mesh" / "wire"


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        sources = [f"mesh/wire/{path.name}" for path in sorted((ROOT / "protos").glob("*.proto"))]
        outputs = [f"--{kind}_out={folder}" for kind in ("python", "pyi", "grpc_python")]
        if protoc.main(["protoc", f"-Imesh/wire={ROOT / 'protos'}", *outputs, *sources]):
            return 1
        fresh = sorted(path.name for path in Path(folder, "mesh", "wire").iterdir())
        _, differing, missing = filecmp.cmpfiles(Path(folder, "mesh", "wire"), COMMITTED, fresh, shallow=False)
    if differing or missing:
        print(f"stale in mesh/wire: {', '.join(differing + missing)}; run `make protos` and commit", file=sys.stderr)
        return 1
    print(f"the {len(fresh)} stubs in mesh/wire are fresh")
    return 0


if __name__ == "__main__":
    sys.exit(main())
