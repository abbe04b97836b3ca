"""Processes that use gRPC start other processes: gRPC's handlers of fork(), which can crash them, are off."""

from __future__ import annotations

import os
import subprocess
import sys

FORKS = """
import asyncio
import os
import {first}
import grpc.aio

async def fork() -> None:
    async with grpc.aio.insecure_channel("127.0.0.1:1"):  # starts the threads of gRPC
        child = os.fork()
        if not child:
            os._exit(0)
        os.waitpid(child, 0)

asyncio.run(fork())
"""


def what_grpc_says(first: str) -> str:
    """What gRPC logs at a fork() of a process that imports `first` before gRPC."""
    environ = {name: value for name, value in os.environ.items() if name != "GRPC_ENABLE_FORK_SUPPORT"}
    command = [sys.executable, "-c", FORKS.format(first=first)]
    done = subprocess.run(
        command, env={**environ, "GRPC_VERBOSITY": "INFO"}, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


def test_grpc_has_no_handlers_of_fork() -> None:
    assert "fork() handlers" in what_grpc_says("grpc")  # otherwise the line has other words now
    assert "fork() handlers" not in what_grpc_says("mesh")
