"""The options of the commands of `mesh decisions`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mesh.cli import parser_parts as parts

if TYPE_CHECKING:
    import argparse

    from mesh.cli.parser_parts import Commands

LOG = "folder or s3://BUCKET/PREFIX of the decision log"


def add(commands: Commands) -> None:
    """Adds the group with its commands."""
    parts.group(commands, "decisions", "report conversion and revenue from a decision log, and show its decisions")


def add_log(command: argparse.ArgumentParser) -> None:
    """Adds the options that name the log and the game in it."""
    command.add_argument("log", metavar="LOG", help=LOG)
    command.add_argument("--game", metavar="NAME", help="game of the log (default: its only game)")
