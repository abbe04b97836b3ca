"""The options of `mesh catalog check`."""

from __future__ import annotations

import argparse
from pathlib import Path

from mesh.cli import parser_parts as parts


def add_to(check: argparse.ArgumentParser) -> None:
    """Adds the arguments; those from `--files` on are for the chart's check before an upgrade."""
    check.add_argument("files", nargs="+", type=Path, metavar="FILE", help="catalog of a game")
    parts.add_quick(check)
    folder = "base folder of relative paths, which no path may leave (default: the folder of the file, no limit)"
    check.add_argument("--files", dest="folder", type=Path, metavar="DIR", help=folder)
    volume = "with --files: another folder that paths may name; repeatable"
    check.add_argument("--volume", action="append", default=[], type=Path, metavar="DIR", help=volume)
    elsewhere = "accept model files that are missing on this machine: the workers have them"
    check.add_argument("--models-elsewhere", action="store_true", help=elsewhere)
    before = "catalog in force; a version that has players must not be removed"
    check.add_argument("--before", type=Path, metavar="FILE", help=before)
    ready = "ready replicas by Deployment, as JSON; with --before: more players need replicas of every model"
    check.add_argument("--ready", type=Path, metavar="FILE", help=ready)
