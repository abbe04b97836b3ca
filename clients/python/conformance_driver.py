"""Asks for offers at a fixed rate, and prints what came back: the program that the conformance suite runs."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from ensemble_mesh_client import Answer, OfferClient, Security, WrongRequest
from ensemble_mesh_client.wire.offers_pb2 import ReportOutcomeRequest

LATE_MS = 25.0  # beyond the deadline: the event loop may have been busy


@dataclass
class Tally:
    """Counts of the calls that returned."""

    calls: int = 0
    late: int = 0
    exceptions: int = 0
    wrong_requests: int = 0
    sources: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    last_reason: str = ""  # of a local answer, with its cause
    times_ms: list[float] = field(default_factory=list)

    def line(self, client: OfferClient) -> str:
        """Returns the summary as a line of JSON."""
        outcomes = client.outcomes
        times_ms = sorted(self.times_ms) or [0.0]
        summary = {
            "event": "done",
            "calls": self.calls,
            "returned": len(self.times_ms),
            "late": self.late,
            "exceptions": self.exceptions,
            "wrong_requests": self.wrong_requests,
            "sources": {source: self.sources[source] for source in ("ensemble", "partial", "fallback", "local")},
            "local_reasons": dict(self.reasons),
            "last_local_reason": self.last_reason,
            "p50_ms": round(times_ms[len(times_ms) // 2], 2),
            "p99_ms": round(times_ms[int(0.99 * (len(times_ms) - 1))], 2),
            "max_ms": round(times_ms[-1], 2),
            "outcomes_taken": outcomes.taken,
            "outcomes_dropped": outcomes.dropped,
        }
        return json.dumps(summary)


async def run(options: argparse.Namespace) -> None:
    """Asks at the rate of `options`, each question in its own task."""
    tally = Tally()
    deadline_s = options.deadline_ms / 1000
    client = OfferClient(
        options.targets.split(","),
        game=options.game,
        fallback=options.fallback,
        deadline_s=deadline_s,
        security=_security(options),
    )

    async def ask(number: int) -> None:
        began_s = time.perf_counter()
        wrong = bool(options.wrong_every) and number % options.wrong_every == 0
        try:
            answer = await client.get_offer(
                f"player-{number % options.players:05}", offer_ids=["no-such-offer"] if wrong else []
            )
            tally.sources[answer.source.value] += 1
            if answer.source.value == "local":
                tally.reasons[answer.reason.partition(":")[0]] += 1
                tally.last_reason = answer.reason
            elif number < options.outcomes:
                client.report_outcome(_shown(answer))
        except WrongRequest:
            tally.wrong_requests += 1
        except Exception as error:  # any other exception is a defect of the client: counted, and shown
            print(repr(error), file=sys.stderr)
            tally.exceptions += 1
        took_s = time.perf_counter() - began_s
        tally.times_ms.append(took_s * 1000)
        tally.late += took_s * 1000 > options.deadline_ms + LATE_MS

    async with client:
        print(json.dumps({"event": "ready"}), flush=True)
        began_s = time.perf_counter()
        async with asyncio.TaskGroup() as tasks:
            for number in range(int(options.rate * options.seconds)):
                await asyncio.sleep(max(0.0, began_s + number / options.rate - time.perf_counter()))
                tally.calls += 1
                tasks.create_task(ask(number))
    print(tally.line(client), flush=True)


def _shown(answer: Answer) -> ReportOutcomeRequest:
    decision = answer.decision_id
    return ReportOutcomeRequest(outcome_id=f"{decision}-shown", decision_id=decision, kind="SHOWN")


def _security(options: argparse.Namespace) -> Security | None:
    if options.tls_ca is None:
        return None
    token = options.token_file.read_text().strip() if options.token_file else None
    return Security(options.tls_ca, options.tls_cert, options.tls_key, options.tls_name, token)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--targets", required=True, help="addresses of supervisors, with commas")
    add("--game", required=True)
    add("--fallback", required=True, metavar="OFFER")
    add("--rate", type=float, default=200, help="questions a second (default: %(default)s)")
    add("--seconds", type=float, default=30)
    add("--deadline-ms", type=float, default=250)
    add("--players", type=int, default=1000)
    add("--wrong-every", type=int, default=0, metavar="N", help="every Nth question is wrong; 0: none")
    add("--outcomes", type=int, default=0, metavar="N", help="report that the first N offers were shown")
    for name in ("--tls-ca", "--tls-cert", "--tls-key", "--token-file"):
        add(name, type=Path)
    add("--tls-name")
    return parser


if __name__ == "__main__":
    asyncio.run(run(_parser().parse_args()))
