"""The options of the commands of `mesh decisions`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mesh.cli import parser_parts as parts
from mesh.cli.decisions.replay import options as replay_options

if TYPE_CHECKING:
    import argparse

    from mesh.cli.parser_parts import Commands

LOG = "folder or s3://BUCKET/PREFIX of the decision log"


def add(commands: Commands) -> None:
    """Adds the group with its commands."""
    about = "report conversion and revenue from a decision log, and show and replay its decisions"
    decisions = parts.group(commands, "decisions", about)
    _add_replay(decisions)


def _add_replay(decisions: Commands) -> None:
    about = "score logged decisions again, and compare the results with the log; exit code 1 if one differs"
    replay = parts.command(decisions, "replay", "mesh.cli.decisions.replay.command:run", about)
    add_log(replay)
    replay_options.add_to(replay)


def add_log(command: argparse.ArgumentParser) -> None:
    """Adds the options that name the log and the game in it."""
    command.add_argument("log", metavar="LOG", help=LOG)
    command.add_argument("--game", metavar="NAME", help="game of the log (default: its only game)")
