"""`mesh drift`: shows the features and scores of a running mesh that differ from the training."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from mesh.cli.console import print_line, stdout, table
from mesh.cli.main import DONE, FAILED
from mesh.cli.metrics_page import fetch_page
from mesh.cli.parser import METRICS
from mesh.drift.counts import Counts, Layout, from_json
from mesh.drift.findings import MIN_SAMPLES, Finding, find
from mesh.drift.reference import BadReference, Reference, decode
from mesh.errors import Misconfigured, Unavailable
from mesh.tls.channel import metrics_security


@dataclass(frozen=True, slots=True)
class Observed:
    """The counts of one version, of all supervisors together, and the reference that they were compared with."""

    game: str
    version: str
    reference: Reference
    counts: Counts

    def findings(self) -> list[Finding]:
        """Returns the findings, the most severe first."""
        return find(Layout(self.reference), self.counts)


def run(arguments: argparse.Namespace) -> int:
    """Prints the figures; exit code 1 if a bound is exceeded.

    Raises Unavailable if no version has a reference, Misconfigured if those that have one are not wanted.
    """
    pages = [_page(address, arguments) for address in arguments.metrics or [METRICS]]
    loaded = observed_in(pages)
    if not loaded:
        fix = "name one in the catalog as `reference:`, and look for errors in the log of the supervisor"
        raise Unavailable(f"no version has a loaded reference; {fix}")
    observed = [one for one in loaded if _is_wanted(one, arguments)]
    if not observed:
        raise Misconfigured([_nothing_wanted(loaded, arguments)])
    return report(observed, as_json=arguments.json)


def _page(address: str, arguments: argparse.Namespace) -> Mapping[str, Any]:
    security = metrics_security(address, vars(arguments), os.environ)
    page: Mapping[str, Any] = fetch_page(address, "/drift", json.loads, security)
    return page


def report(observed: Sequence[Observed], *, as_json: bool) -> int:
    """Prints the findings of all versions; returns the exit code."""
    found = [(one, one.findings()) for one in observed]
    if as_json:
        print(json.dumps({"versions": [_facts(one, findings) for one, findings in found]}))
    else:
        for one, findings in found:
            _print(one, findings)
    return FAILED if any(finding.severity >= 1 for _, findings in found for finding in findings) else DONE


def observed_in(pages: Sequence[Mapping[str, Any]]) -> list[Observed]:
    """Returns what the supervisors with these `pages` have observed; adds the counts of equal references.

    Raises Unavailable if supervisors have different references for a version.
    """
    found: dict[tuple[str, str], Observed] = {}
    for raw in (version for page in pages for version in page["versions"]):
        key = (str(raw["game"]), str(raw["version"]))
        try:
            reference = decode(json.dumps(raw["reference"]).encode())
            counts = from_json(raw["counts"], Layout(reference))
        except BadReference as error:
            raise Unavailable(f"{key[0]} {key[1]}: the reference {error}") from error
        before = found.get(key)
        if before is not None and before.reference != reference:
            problem = f"{key[0]} {key[1]}: the supervisors have different references"
            raise Unavailable(f"{problem}; wait until all have loaded the new one")
        found[key] = Observed(*key, reference, counts if before is None else before.counts.plus(counts))
    return list(found.values())


def _is_wanted(one: Observed, arguments: argparse.Namespace) -> bool:
    return arguments.game in (None, one.game) and arguments.version in (None, one.version)


def _nothing_wanted(loaded: Sequence[Observed], arguments: argparse.Namespace) -> str:
    options = {"--game": arguments.game, "--version": arguments.version}
    given = " ".join(f"{option} {value}" for option, value in options.items() if value is not None)
    known = ", ".join(f"{one.game} {one.version}" for one in loaded)
    return f"{given}: has no loaded reference; known: {known}; correct the name, or add `reference:` to the version"


def _facts(one: Observed, findings: Sequence[Finding]) -> dict[str, Any]:
    return {
        "game": one.game,
        "version": one.version,
        "samples": one.counts.samples,
        "reference_rows": one.reference.rows,
        "findings": [dataclasses.asdict(finding) for finding in findings],
    }


def _print(one: Observed, findings: Sequence[Finding]) -> None:
    console = stdout()
    title = f"{one.game} {one.version}: {one.counts.samples:,} requests against {one.reference.rows:,} training rows"
    print_line(console, title)
    if not findings:
        print_line(console, f"The figures need {MIN_SAMPLES} requests of a version.")
        return
    console.print(_table(findings))
    drifted = [_named(finding) for finding in findings if finding.severity >= 1]
    print_line(console, f"drift: {', '.join(drifted)}" if drifted else "no drift")


def _table(findings: Sequence[Finding]) -> Table:
    shown = table(["of", "name", "severity"], ["PSI", "shift", "missing", "before", "unseen", "before", "requests"])
    for one in findings:
        shown.add_row(*_cells(one))
    return shown


def _cells(one: Finding) -> Iterator[str]:
    yield from (one.kind, one.name)
    yield f"{one.severity:.2f} {one.cause}" if one.severity >= 0.005 else "0"
    yield "" if one.psi is None else f"{one.psi:.3f}"
    yield "" if one.shift is None else f"{one.shift:+.2f}"
    yield from (f"{100 * share:.1f} %" for share in (one.missing, one.missing_before, one.unseen, one.unseen_before))
    yield f"{one.samples:,}"


def _named(finding: Finding) -> str:
    of = finding.kind if not finding.name else f"{finding.kind} {finding.name}"
    return f"{of} ({finding.cause})"
