"""`mesh explain`: the contributions of the features to the score of an offer."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime

from mesh import plot_page
from mesh.cli.explain import page, view
from mesh.cli.explain.decision_cases import of_decision
from mesh.cli.explain.player_cases import of_player
from mesh.cli.explain.report import Report, as_json
from mesh.cli.explain.subject import Subject
from mesh.cli.main import DONE
from mesh.errors import Misconfigured
from mesh.model_file import BadModel
from mesh.reference.explanation import explain


def run(arguments: argparse.Namespace) -> int:
    """Prints the explanation; with `--html` also writes the page. Raises Misconfigured for wrong options and files.

    Raises NotFound for an unknown decision.
    """
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
    if faults := list(_faults(arguments)):
        raise Misconfigured(faults)
    return of_decision(arguments) if arguments.player is None else of_player(arguments)


def _faults(arguments: argparse.Namespace) -> Iterator[str]:
    if arguments.player is None:
        if arguments.decision is None or (arguments.log or arguments.catalog) is None:
            yield "give the ID of a decision and its LOG or catalog, or --player P --offer O --catalog FILE"
        if arguments.context or arguments.version:
            yield "a decision has its own version and context; omit --version and --context, or give --player"
        return
    if arguments.decision is not None:
        yield "a decision has its own player; give ID and LOG, or --player and --catalog"
    if arguments.models is not None:
        yield "--models is for a decision; the catalog names the models of --player"
    if arguments.catalog is None:
        yield "--player is read from the store of a game; name its catalog with --catalog FILE"
