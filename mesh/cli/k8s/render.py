"""`mesh k8s render`: renders the chart for a catalog, to stdout or to one file per model."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from mesh.catalog import catalog as catalogs
from mesh.catalog.catalog import Catalog
from mesh.cli.k8s import chart_output
from mesh.cli.main import DONE

_LARGEST_TABLE_BYTES = 900_000  # a ConfigMap has at most 1 MiB


def run(arguments: argparse.Namespace) -> int:
    """Renders all objects; with --to, writes them to the folder DIR/GAME for `mesh k8s diff --rendered DIR`."""
    catalog = catalogs.load(arguments.file)
    namespace = arguments.namespace or catalog.game
    values = [word for file in arguments.values for word in ("-f", str(file))]
    sets = [word for one in arguments.set for word in ("--set", one)]
    options = [*_offers(catalog), *values, *sets]
    found = chart_output.render(
        arguments.file,
        catalog.game,
        *options,
        namespace=namespace,
        chart=arguments.chart or chart_output.CHART,
        kubernetes=arguments.kube_version,
    )
    if arguments.to is None:
        print("---\n".join(one.text for one in found), end="")
        return DONE
    folder = arguments.to / catalog.game
    fresh = chart_output.files(found, namespace)
    chart_output.write(folder, fresh)
    print(f"{folder}: {len(found)} objects in {len(fresh)} files; apply them with `kubectl apply -k {folder}`")
    return DONE


def _offers(catalog: Catalog) -> Iterator[str]:
    """Passes the offers as text, as the supervisor reads them from a ConfigMap, unless the file is too large."""
    path = None if catalog.offers is None else catalog.offers.path
    if path is None or not Path(path).is_file():
        return
    table = Path(path)
    if table.stat().st_size > _LARGEST_TABLE_BYTES:
        problem = "is too large for a ConfigMap; the pods read it from the volume kubernetes.files"
        print(f"{table}: {problem}", file=sys.stderr)
        return
    yield from ("--set-file", f"offers.table={table}")
