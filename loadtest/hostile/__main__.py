"""`python -m loadtest.hostile ATTACK HOST:PORT SERVICE SIZE [SECONDS]`: runs one attack and prints its counts as JSON.

An attack is a process of its own, so that it can be killed and has files and CPU of its own. With SECONDS, it runs
again and again for so long, with limited speed, and also prints the share of a CPU that it took (`Run`).
`python -m loadtest.hostile burn SHARE SECONDS` takes this share and attacks nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import sys
import time
from collections import Counter
from collections.abc import Sequence

from loadtest.hostile import speed
from loadtest.hostile.attacks import Aim, Attack, Outcomes, every_attack
from loadtest.hostile.attacks.leaving import calls_under_way
from loadtest.hostile.attacks.tls import TLS_ATTACKS
from loadtest.hostile.connection import Target
from loadtest.hostile.services import service_of

BYTES_PER_S, WRITES_PER_S = 1e6, 1000.0  # of an attack that runs again and again


def main(arguments: Sequence[str]) -> int:
    speed.yield_cpu()
    if arguments[0] == "burn":
        share, seconds = map(float, arguments[1:])
        speed.burn(share, seconds)
        return 0
    name, address, service, size, *more = arguments
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    host, _, port = address.rpartition(":")
    attack = {**every_attack(), **TLS_ATTACKS, calls_under_way.__name__: calls_under_way}[name]
    aim = Aim(Target(host, int(port)), service_of(service), float(size))
    if more:
        before_s, begun_s = _cpu_s(), time.monotonic()
        counts = asyncio.run(_again(attack, aim, float(more[0])))
        share = (_cpu_s() - before_s) / (time.monotonic() - begun_s)
        print(json.dumps({"counts": counts, "cpu_share": share}), flush=True)
    else:
        print(json.dumps(asyncio.run(attack(aim))), flush=True)
    return 0


async def _again(attack: Attack, aim: Aim, seconds: float) -> Outcomes:
    speed.limit(BYTES_PER_S, WRITES_PER_S)
    counts: Outcomes = Counter()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while True:
                counts.update(await attack(aim))
    return counts


def _cpu_s() -> float:
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
