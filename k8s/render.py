"""`python -m k8s.render`: renders the example of this checkout again; `mesh k8s render` renders any game."""

from __future__ import annotations

import argparse
import sys

from k8s.values import CHART
from mesh.cli.k8s import chart_output
from mesh.errors import Misconfigured

RENDERED = CHART.parent / "rendered"
EXAMPLE = CHART.parent.parent / "examples/dragonfall/mesh.yaml"


def example() -> dict[str, str]:
    """The expected files of k8s/rendered/dragonfall, by name."""
    offers = f"offers.table={EXAMPLE.parent / 'offers.csv'}"
    return chart_output.files(chart_output.render(EXAMPLE, "dragonfall", "--set-file", offers), "dragonfall")


def main() -> int:
    """Replaces the files of the example's folder."""
    argparse.ArgumentParser(prog="python -m k8s.render", description=__doc__).parse_args()
    folder = RENDERED / "dragonfall"
    try:
        fresh = example()
        chart_output.write(folder, fresh)
    except Misconfigured as error:
        print("\n".join(error.faults), file=sys.stderr)
        return 2
    print(f"{folder}: {len(fresh)} files")
    return 0


if __name__ == "__main__":
    sys.exit(main())
