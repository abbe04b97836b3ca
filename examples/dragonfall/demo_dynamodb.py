"""Compares the example on DynamoDB and S3 with the example on local files: the offers must be the same.

Both stores are servers on this machine. DynamoDB is DynamoDB Local or dynalite if `make test-servers` has installed
one of them, otherwise moto. S3 is always moto.
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
from examples.dragonfall.build import BUILD, CATALOG, MODELS, PLAYERS_CSV, REFERENCE, build
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
# A real table answers in a few milliseconds. An emulator that shares two cores with 15 models may need longer.
FEATURES_MS, BUDGET_MS = 500, 1500


@dataclass(frozen=True, slots=True)
class Comparison:
    """The comparison of both meshes; `differing` lists the first players whose offers differ.

    `held_out` players belong to the holdout on both sides, and get the fallback offer.
    """

    server: str
    logins: int
    held_out: int
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
    print(json.dumps(asdict(comparison)) if options.json else _as_text(comparison))
    return 0 if comparison.same == comparison.whole + comparison.held_out == comparison.logins else 1


def _run(wanted: str | None, console: Console) -> Comparison:
    requests = _requests()
    with aws.moto(FOLDER) as store, _dynamodb(wanted, store) as server:
        _use(store)
        console.print(f"players in DynamoDB ({server.name}), models in S3 (moto)", highlight=False)
        catalog = _write_catalog(server, _publish(store))
        run_mesh(["features", "load", str(PLAYERS_CSV), "--catalog", str(catalog), "--create"], COMMAND_LIMIT_S)
        from_stores = _answers("DynamoDB and S3", catalog, requests, console)
        from_files = _answers("files", CATALOG, requests, console)
    return _compare(server.name, from_files, from_stores)


@contextlib.contextmanager
def _dynamodb(wanted: str | None, moto: Server) -> Iterator[Server]:
    """Starts the DynamoDB server that the user chose, or the best one that is installed."""
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
    """Sets the AWS environment variables, so that this program and its child processes find the store."""
    aws.use_credentials()
    os.environ.update(
        AWS_REGION=aws.CREDENTIALS["region_name"],
        AWS_ENDPOINT_URL_S3=store.endpoint,
        XDG_CACHE_HOME=str(FOLDER / "cache"),
    )


def _publish(store: Server) -> list[dict[str, str]]:
    """Uploads the models and returns their catalog entries."""
    client = get_session().create_client("s3", endpoint_url=store.endpoint, **aws.CREDENTIALS)
    client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": client.meta.region_name})
    client.close()
    printed = run_mesh(["publish", str(MODELS), "--to", f"s3://{BUCKET}/{VERSION}"], COMMAND_LIMIT_S)
    models: list[dict[str, str]] = yaml.safe_load(printed)["models"]
    return models


def _write_catalog(server: Server, models: list[dict[str, str]]) -> Path:
    """Writes the example's catalog with the other stores. The models keep their order: the mean depends on it."""
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
    catalog["decisions"]["to"] = f"s3://{BUCKET}/decisions"
    published = {model["name"]: model for model in models}
    version = catalog["versions"][VERSION]
    version["models"] = [published[model["name"]] for model in version["models"]]
    version["reference"] = str(REFERENCE)
    path = FOLDER / "mesh.yaml"
    path.write_text(yaml.safe_dump(catalog, sort_keys=False))
    return path


def _requests() -> list[Request]:
    rng, players = np.random.default_rng(SEED), simulate_players()
    rows = rng.choice(len(players.ids), LOGINS, replace=False)
    return logins(players, draw_encounters(rows, np.zeros_like(rows), rng))


def _answers(name: str, catalog: Path, requests: Sequence[Request], console: Console) -> list[Answer]:
    started_s = time.monotonic()

    async def play() -> list[Answer]:
        async with running_mesh(mesh_up(catalog)) as address:
            return await ask(address, requests, CALLERS)

    answers = asyncio.run(play())
    console.print(
        f"{name}: {len(answers)} answers in {time.monotonic() - started_s:.1f} s, including the start of the mesh",
        highlight=False,
    )
    return answers


def _compare(server: str, from_files: Sequence[Answer], from_stores: Sequence[Answer]) -> Comparison:
    def choice(answer: Answer) -> tuple[str, float | None]:
        return answer.offer_id, answer.expected_revenue_usd

    pairs = list(zip(from_files, from_stores, strict=True))
    differing = [one.player_id for one, other in pairs if choice(one) != choice(other)]
    whole = sum(one.source == other.source == "ENSEMBLE" and not other.reason for one, other in pairs)
    held_out = sum(one.is_held_out and other.is_held_out for one, other in pairs)
    return Comparison(server, len(pairs), held_out, whole, len(pairs) - len(differing), tuple(differing[:10]))


def _as_text(found: Comparison) -> str:
    text = (
        f"{found.logins} log-ins, with {found.server} and S3 compared to local files:\n"
        f"  {found.whole} were answered by the whole ensemble on both sides, {found.held_out} belong to the holdout\n"
        f"  {found.same} got the same offer and exactly the same expected revenue"
    )
    return text + (f"\n  different offers: {', '.join(found.differing)}" if found.differing else "")


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m examples.dragonfall.demo_dynamodb", description=__doc__)
    parser.add_argument(
        "--server", choices=tuple(aws.DYNAMODB), help="DynamoDB server to use (default: the best one that is installed)"
    )
    parser.add_argument("--json", action="store_true", help="print the comparison as one JSON object")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
