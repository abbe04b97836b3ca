"""The example with its players in DynamoDB and its models in S3, beside the one with files: the offers are the same.

Both stores are real servers on this machine: DynamoDB Local or dynalite where `make test-servers` has installed them,
else moto, which is also the S3.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from botocore.session import get_session
from rich.console import Console

from emulators import aws
from emulators.processes import Server
from examples.dragonfall.backend import Answer, Request, ask, logins
from examples.dragonfall.build import BUILD, CATALOG, MODELS, PLAYERS_CSV, build
from examples.dragonfall.failure import ExampleFailed
from examples.dragonfall.mesh_command import run_mesh
from examples.dragonfall.mesh_process import mesh_up, running_mesh
from examples.dragonfall.offers import OFFERS_CSV
from examples.dragonfall.simulation import draw_encounters, simulate_players

FOLDER = BUILD / "dynamodb"
BUCKET, TABLE, VERSION = "dragonfall-models", "dragonfall-players", "2026-10"
SEED = 7
LOGINS = 300
CALLERS = 4
COMMAND_LIMIT_S = 300.0
# The real table answers in a few milliseconds; an emulator that shares two cores with 15 models, not always.
FEATURES_MS, BUDGET_MS = 500, 1500


@dataclass(frozen=True, slots=True)
class Comparison:
    """How the answers of both meshes compare; `differing` are the first players whose offers differ."""

    server: str
    logins: int
    whole: int
    same: int
    differing: tuple[str, ...]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the demo; returns the exit code."""
    options = _parse(arguments)
    console = Console(stderr=True)
    try:
        build(console)
        FOLDER.mkdir(exist_ok=True)
        comparison = _run(options.server, console)
    except ExampleFailed as failure:
        console.print(f"[red]error:[/red] {failure}", highlight=False)
        return 1
    except KeyboardInterrupt:
        console.print("stopped", highlight=False)
        return 130
    print(json.dumps(asdict(comparison)) if options.json else _in_words(comparison))
    return 0 if comparison.same == comparison.whole == comparison.logins else 1


def _run(wanted: str | None, console: Console) -> Comparison:
    requests = _requests()
    with aws.moto(FOLDER) as store, _dynamodb(wanted, store) as server:
        _use(store)
        console.print(f"players in DynamoDB ({server.name}), models in S3 (moto)", highlight=False)
        catalog = _write_catalog(server, _publish(store))
        run_mesh(["features", "load", str(PLAYERS_CSV), "--catalog", str(catalog), "--create"], COMMAND_LIMIT_S)
        in_cloud = _answers("DynamoDB and S3", catalog, requests, console)
        from_files = _answers("files", CATALOG, requests, console)
    return _compare(server.name, from_files, in_cloud)


@contextlib.contextmanager
def _dynamodb(wanted: str | None, moto: Server) -> Iterator[Server]:
    """The server that the user wants, or the best that is there."""
    names = [wanted] if wanted else ["dynamodb-local", "dynalite"]
    with contextlib.ExitStack() as stack:
        for name in names:
            if name == "moto":
                break
            try:
                yield stack.enter_context(aws.DYNAMODB[name](FOLDER))
                return
            except aws.NotInstalled as missing:
                if wanted:
                    raise ExampleFailed(str(missing)) from None
        yield moto


def _use(store: Server) -> None:
    """From now on this program and what it starts find the store as any AWS program does."""
    aws.use_credentials()
    os.environ.update(
        AWS_REGION=aws.CREDENTIALS["region_name"],
        AWS_ENDPOINT_URL_S3=store.endpoint,
        XDG_CACHE_HOME=str(FOLDER / "cache"),
    )


def _publish(store: Server) -> list[dict[str, str]]:
    """Uploads the models; their lines for the catalog."""
    client = get_session().create_client("s3", endpoint_url=store.endpoint, **aws.CREDENTIALS)
    client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": client.meta.region_name})
    client.close()
    printed = run_mesh(["publish", str(MODELS), "--to", f"s3://{BUCKET}/{VERSION}"], COMMAND_LIMIT_S)
    models: list[dict[str, str]] = yaml.safe_load(printed)["models"]
    return models


def _write_catalog(server: Server, models: list[dict[str, str]]) -> Path:
    """The example's catalog, with the other stores; its models keep their order, which the mean adds up in."""
    catalog: dict[str, Any] = yaml.safe_load(CATALOG.read_text())
    catalog["budget_ms"] = BUDGET_MS
    catalog["features"] = {
        "store": "dynamodb",
        "table": TABLE,
        "region": aws.CREDENTIALS["region_name"],
        "endpoint_url": server.endpoint,
        "timeout_ms": FEATURES_MS,
    }
    catalog["offers"]["path"] = str(OFFERS_CSV)
    published = {model["name"]: model for model in models}
    version = catalog["versions"][VERSION]
    version["models"] = [published[model["name"]] for model in version["models"]]
    path = FOLDER / "mesh.yaml"
    path.write_text(yaml.safe_dump(catalog, sort_keys=False))
    return path


def _requests() -> list[Request]:
    rng, players = np.random.default_rng(SEED), simulate_players()
    who = rng.choice(len(players.ids), LOGINS, replace=False)
    return logins(players, draw_encounters(who, np.zeros_like(who), rng))


def _answers(name: str, catalog: Path, requests: Sequence[Request], console: Console) -> list[Answer]:
    started_s = time.monotonic()

    async def play() -> list[Answer]:
        async with running_mesh(mesh_up(catalog)) as address:
            return await ask(address, requests, CALLERS)

    answers = asyncio.run(play())
    console.print(
        f"{name}: {len(answers)} answers, with the start of the mesh in {time.monotonic() - started_s:.1f} s",
        highlight=False,
    )
    return answers


def _compare(server: str, from_files: Sequence[Answer], in_cloud: Sequence[Answer]) -> Comparison:
    def choice(answer: Answer) -> tuple[str, float | None]:
        return answer.offer_id, answer.expected_revenue_usd

    pairs = list(zip(from_files, in_cloud, strict=True))
    differing = [one.player_id for one, other in pairs if choice(one) != choice(other)]
    whole = sum(one.source == other.source == "ENSEMBLE" and not other.reason for one, other in pairs)
    return Comparison(server, len(pairs), whole, len(pairs) - len(differing), tuple(differing[:10]))


def _in_words(found: Comparison) -> str:
    told = (
        f"{found.logins} log-ins: players from {found.server} and models from S3, against both from files\n"
        f"  {found.whole} answered by the whole ensemble on both sides\n"
        f"  {found.same} with the same offer and the same expected revenue, to the last bit"
    )
    return told + (f"\n  differing: {', '.join(found.differing)}" if found.differing else "")


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m examples.dragonfall.demo_dynamodb", description=__doc__)
    parser.add_argument("--server", choices=tuple(aws.DYNAMODB), help="(default: the best that is installed)")
    parser.add_argument("--json", action="store_true", help="print the comparison as one JSON object")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
