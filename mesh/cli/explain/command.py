"""`mesh explain`: the contributions of the features to the score of an offer."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import AbstractContextManager
from datetime import UTC, datetime

from mesh import plot_page
from mesh.cli.explain import page, view
from mesh.cli.explain.player_cases import of_player
from mesh.cli.explain.report import Report, as_json
from mesh.cli.explain.subject import Subject
from mesh.cli.main import DONE
from mesh.errors import Misconfigured
from mesh.model_file import BadModel
from mesh.reference.explanation import explain


def run(arguments: argparse.Namespace) -> int:
    """Prints the explanation; with `--html` also writes the page. Raises Misconfigured for wrong options and files."""
    if arguments.html is not None:
        plot_page.check_output(arguments.html, "--html")
    with _subject(arguments) as subject:
        try:
            explained = explain(subject.rule, subject.voters, subject.cases)
        except BadModel as error:
            raise Misconfigured([error.reason]) from error
    report = Report(subject, explained, arguments.model)
    if arguments.html is not None:
        facts = plot_page.origin("mesh", sys.argv[1:], datetime.now(UTC))
        plot_page.write(arguments.html, page.page(report, facts, arguments.top), "--html")
    if arguments.json:
        print(json.dumps(as_json(report), ensure_ascii=False))
    else:
        view.print_report(report, arguments.top)
    return DONE


def _subject(arguments: argparse.Namespace) -> AbstractContextManager[Subject]:
    if arguments.player is None:
        raise Misconfigured(["give --player P --offer O --catalog FILE"])
    if arguments.decision is not None:
        raise Misconfigured(["a decision has its own player; give ID and LOG, or --player and --catalog"])
    if arguments.catalog is None:
        raise Misconfigured(["--player is read from the store of a game; name its catalog with --catalog FILE"])
    return of_player(arguments)
