"""`python -m supervisor.schedules FILE`: sets the minimum replicas that the schedules of a game want now.

A CronJob of the chart runs this program every hour, at the minute at which windows begin and end. Each run computes the
whole state again, so the next run repairs a run that was missed or that failed.

After an install or an upgrade, a Job runs this program for new Deployments: it raises their replicas to the minimum.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import aiohttp
from pydantic import Field, TypeAdapter, ValidationError

from mesh.block import Block
from mesh.catalog.deployment.blocks import Schedules
from mesh.catalog.deployment.schedules import minimum
from mesh.errors import Misconfigured
from mesh.printable import one_line
from supervisor.discovery.service_account import ServiceAccount, read_service_account
from supervisor.settings import SERVICE_ACCOUNT

ANSWER_S = 15.0
_PATHS = {
    "HorizontalPodAutoscaler": "/apis/autoscaling/v2/namespaces/{}/horizontalpodautoscalers/{}",
    "ScaledObject": "/apis/keda.sh/v1alpha1/namespaces/{}/scaledobjects/{}",
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments/{}/scale",
}
_FIELDS = {"HorizontalPodAutoscaler": "minReplicas", "ScaledObject": "minReplicaCount", "Deployment": "replicas"}
_MERGE = {"content-type": "application/merge-patch+json"}


class Target(Block):
    """An HPA, a ScaledObject or a new Deployment, its minimum outside all windows, and the windows."""

    kind: Literal["HorizontalPodAutoscaler", "ScaledObject", "Deployment"]
    name: str
    min: int = Field(ge=1)
    schedule: Schedules


Targets = TypeAdapter(Annotated[tuple[Target, ...], Field(strict=False)])


def main(arguments: Sequence[str]) -> int:
    """Returns 0 if all targets have their minimum, 1 if one could not be set, 2 if the settings are wrong."""
    parser = argparse.ArgumentParser(prog="python -m supervisor.schedules", description=__doc__)
    parser.add_argument("file", type=Path, metavar="FILE", help="JSON list of HPAs with their schedules")
    may_fail = "end with exit code 0 at the first target that cannot be set: its HPA sets it later"
    parser.add_argument("--may-fail", action="store_true", help=may_fail)
    options = parser.parse_args(arguments)
    try:
        targets = read_targets(options.file)
        account = read_service_account(SERVICE_ACCOUNT, os.environ)
    except Misconfigured as error:
        print(*map(one_line, error.faults), sep="\n", file=sys.stderr)
        return 2
    code = asyncio.run(apply(targets, account, datetime.now(UTC), stop_early=options.may_fail))
    return 0 if options.may_fail else code


def read_targets(file: Path) -> tuple[Target, ...]:
    """Reads the list that the chart writes; raises Misconfigured."""
    try:
        return Targets.validate_json(file.read_bytes())
    except OSError as error:
        raise Misconfigured(
            [f"{file}: cannot be read: {error.strerror}; mount the ConfigMap of the schedules"]
        ) from error
    except ValidationError as error:
        raise Misconfigured([f"{file}: {one['loc']}: {one['msg']}" for one in error.errors()]) from error


async def apply(targets: Sequence[Target], account: ServiceAccount, now: datetime, stop_early: bool = False) -> int:
    """Sets the minimum of each target that differs, and prints a line of JSON for each; returns the exit code.

    With `stop_early`, the targets after one that cannot be set are left as they are.
    """
    failed = 0
    limits = aiohttp.ClientTimeout(total=ANSWER_S)
    connector = aiohttp.TCPConnector(ssl=account.tls())
    async with aiohttp.ClientSession(account.url, connector=connector, timeout=limits) as session:
        for target in targets:
            wanted = minimum(target.min, target.schedule, now)
            line: dict[str, Any] = {"kind": target.kind, "name": target.name, "min": wanted}
            try:
                line["was"] = await _set(session, account, target, wanted)
            except (aiohttp.ClientError, OSError, TimeoutError, ValueError, KeyError, TypeError) as error:
                line["error"] = f"{type(error).__name__}: {error}"
                failed += 1
            print(json.dumps(line), flush=True)
            if failed and stop_early:
                break
    return 1 if failed else 0


async def _set(session: aiohttp.ClientSession, account: ServiceAccount, target: Target, wanted: int) -> int:
    """Sets the minimum if it differs; returns the previous one."""
    path, field = _PATHS[target.kind].format(account.namespace, target.name), _FIELDS[target.kind]
    headers = {"authorization": f"Bearer {account.token()}", "accept": "application/json"}
    async with session.get(path, headers=headers) as response:
        current = int((await _checked(response))["spec"].get(field, 1))
    if current < wanted or (current > wanted and target.kind != "Deployment"):
        body = json.dumps({"spec": {field: wanted}})
        async with session.patch(path, headers={**headers, **_MERGE}, data=body) as response:
            await _checked(response)
    return current


async def _checked(response: aiohttp.ClientResponse) -> Any:
    """Returns the object; raises ValueError with the API server's message."""
    text = await response.text()
    if response.status != 200:
        raise ValueError(f"status {response.status}: {text[:500]}")
    return json.loads(text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
