"""The options of `mesh k8s render`."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_to(render: argparse.ArgumentParser) -> None:
    """Adds the options to the parser of the command."""
    render.add_argument("file", type=Path, metavar="FILE", help="catalog of the game")
    to = "write DIR/GAME with one file per model and a kustomization (default: print all objects)"
    render.add_argument("--to", type=Path, metavar="DIR", help=to)
    render.add_argument("--namespace", "-n", metavar="NS", help="namespace of the game (default: the game's name)")
    values = "further values file, which overrides the catalog; repeatable"
    render.add_argument("--values", action="append", default=[], type=Path, metavar="FILE", help=values)
    render.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="value for Helm; repeatable")
    version = "version of Kubernetes to render for (default: 1.36)"
    render.add_argument("--kube-version", default="1.36", metavar="V", help=version)
    chart = "folder of the chart (default: k8s/chart of the checkout)"
    render.add_argument("--chart", type=Path, metavar="DIR", help=chart)
