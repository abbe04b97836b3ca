"""Messages that are random bytes, or valid requests that are cut off, changed or repeated, to every method."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial

from loadtest.hostile.attacks import Aim, Attack, Outcomes
from loadtest.hostile.connection import FRAME_BYTES, Reply, connected, pipelined, request
from loadtest.hostile.frames import grpc_message

MESSAGES = 20_000  # to all methods together
STREAM_MESSAGES = 20  # of one call
_LONG_NUMBERS = (b"\xff\xff\xff\xff\x0f", b"\xff" * 9 + b"\x01", b"\x0a\xff\xff\xff\xff\x07")
_SPECIAL = (b"\x00", b"\x7f", b"\x80", b"\xff", *_LONG_NUMBERS)


async def malformed_messages(aim: Aim) -> Outcomes:
    """Sends malformed messages to every method, those that take a stream included."""
    outcomes: Outcomes = Counter()
    methods = aim.service.methods
    count = aim.times(MESSAGES) // len(methods)
    for number, (path, valid) in enumerate(methods.items()):
        is_stream = path in aim.service.streams
        malformed = mutations(valid, random.Random(number))
        calls = _streams(path, malformed, count) if is_stream else _calls(path, malformed, count)
        async with connected(aim.target) as connection:
            await connection.greet()
            async for reply in pipelined(connection, calls):
                outcomes[f"status {reply.status}" if isinstance(reply, Reply) else reply] += 1
    return outcomes


def mutations(valid: bytes, rng: random.Random) -> Iterator[bytes]:
    """Yields variants of an encoded message without end; some can be parsed, most cannot."""
    while True:
        kind = rng.randrange(6)
        if kind == 0 or not valid:
            yield rng.randbytes(rng.choice((1, 2, 7, 40, 300)))
        elif kind == 1:
            yield valid[: rng.randrange(len(valid))]
        elif kind == 2:
            yield _with_bytes(valid, bytes((rng.randrange(256),)), rng)
        elif kind == 3:
            yield _with_bytes(valid, rng.choice(_SPECIAL), rng)
        elif kind == 4:
            at = rng.randrange(len(valid))
            yield valid[:at] + valid * rng.randrange(1, 5) + valid[at:]
        else:
            yield rng.choice((b"\x0b", b"\x0c", b"\x3b\x3b\x3b")) * rng.randrange(1, 200) + valid  # groups: nested


def _with_bytes(valid: bytes, new: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(valid))
    return valid[:at] + new + valid[at + 1 :]


def _calls(path: str, malformed: Iterator[bytes], count: int) -> Iterator[Callable[[int], bytes]]:
    for _ in range(count):
        yield partial(_call, path=path, message=grpc_message(next(malformed)))


def _streams(path: str, malformed: Iterator[bytes], count: int) -> Iterator[Callable[[int], bytes]]:
    for _ in range(count // STREAM_MESSAGES):
        body = b"".join(grpc_message(next(malformed)) for _ in range(STREAM_MESSAGES))
        yield partial(_call, path=path, message=body[:FRAME_BYTES])


def _call(stream: int, path: str, message: bytes) -> bytes:
    return request(stream, path, message, [TIMEOUT])


TIMEOUT = (b"grpc-timeout", b"2S")  # Health.Watch does not end by itself
ATTACKS: dict[str, Attack] = {"malformed_messages": malformed_messages}
