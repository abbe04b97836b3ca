"""`python -m loadtest.hostile ATTACK HOST:PORT SERVICE SIZE`: runs one attack and prints its counts as JSON.

An attack is a process of its own, so that it can be killed and has files and CPU of its own.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
from collections.abc import Sequence

from loadtest.hostile.attacks import Aim, every_attack
from loadtest.hostile.attacks.leaving import calls_under_way
from loadtest.hostile.attacks.tls import TLS_ATTACKS
from loadtest.hostile.connection import Target
from loadtest.hostile.services import service_of

NICENESS = 19  # the attacker stands for other machines: it must not take the CPU of the attacked processes


def main(arguments: Sequence[str]) -> int:
    name, address, service, size = arguments
    os.setpriority(os.PRIO_PROCESS, 0, NICENESS)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    host, _, port = address.rpartition(":")
    attack = {**every_attack(), **TLS_ATTACKS, calls_under_way.__name__: calls_under_way}[name]
    outcomes = asyncio.run(attack(Aim(Target(host, int(port)), service_of(service), float(size))))
    print(json.dumps(outcomes), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
