"""Calls that break the rules of gRPC over HTTP/2: headers, time limits, lengths, compression."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from loadtest.hostile import hpack
from loadtest.hostile.attacks import Aim, Attack, Outcomes, all_of
from loadtest.hostile.connection import connected, head
from loadtest.hostile.frames import END_HEADERS, HEADERS, frame, grpc_message

TIMEOUTS = (b"", b"0n", b"-1S", b"1", b"S", b"abc", b"1.5S", b"99999999H", b"999999999999H", b"18446744073709551616n")
BOMB_BYTES = 200 * 2**20


class Call(NamedTuple):
    """The headers and the bytes of the body of one call."""

    name: str
    headers: list[hpack.Header]
    body: bytes


async def bad_timeouts(aim: Aim) -> Outcomes:
    """Sends values of grpc-timeout that make no sense."""
    path, message = aim.service.main, grpc_message(aim.service.unary[aim.service.main])
    calls = [Call(repr(value), head(path, [(b"grpc-timeout", value)]), message) for value in TIMEOUTS]
    return await _each(aim, calls, 5)


async def bad_headers(aim: Aim) -> Outcomes:
    """Leaves headers out, and sends wrong ones."""
    return await _each(aim, list(_with_bad_headers(aim)), 4)


async def bad_prefixes(aim: Aim) -> Outcomes:
    """Sends messages whose prefix lies about the length or the compression."""
    return await _each(aim, list(_with_bad_prefixes(aim)), 10)


async def gzip_bombs(aim: Aim) -> Outcomes:
    """Sends messages of 200 KB that inflate to 200 MB."""
    calls = [
        Call(encoding, head(aim.service.main, [(b"grpc-encoding", encoding.encode())]), grpc_message(bomb, 1))
        for encoding, bomb in (("gzip", _bomb("gzip")), ("deflate", _bomb("deflate")))
    ]
    return await _each(aim, calls, 5)


async def large_messages(aim: Aim) -> Outcomes:
    """Sends messages above the limit of a supervisor, and above that of a worker."""
    sizes = (300 * 2**10, 17 * 2**20)
    calls = [Call(f"{size >> 10} KB", head(aim.service.main), grpc_message(b"a" * size)) for size in sizes]
    return await _each(aim, calls, 2)


@lru_cache
def _bomb(encoding: str) -> bytes:
    zeros = bytes(BOMB_BYTES)
    return gzip.compress(zeros, 9) if encoding == "gzip" else zlib.compress(zeros, 9)


def _with_bad_headers(aim: Aim) -> Iterator[Call]:
    path, message = aim.service.main, grpc_message(aim.service.unary[aim.service.main])
    for name in (b":method", b":scheme", b":path", b":authority", b"te", b"content-type"):
        yield Call(f"without {name.decode()}", head(path, without=[name]), message)
    wrong: tuple[hpack.Header, ...] = (
        (b":method", b"GET"),
        (b":method", b"DELETE"),
        (b":scheme", b"ftp"),
        (b":path", b""),
        (b":path", b"mesh.v1.Offers"),
        (b":path", b"/" + b"a" * 3000),
        (b":path", b"/../../etc/passwd"),
        (b":path", b"/mesh.v1.Offers/GetOffer\0"),
        (b":path", b"/\xff\xfe/\xfd"),
        (b":authority", b"a" * 2000),
        (b"te", b"gzip"),
        (b"content-type", b"text/html"),
        (b"content-type", b"application/grpc+proto+json"),
    )
    for name, value in wrong:
        yield Call(f"{name.decode()} {value[:30]!r}", head(path, [(name, value)], without=[name]), message)
    more: tuple[hpack.Header, ...] = (
        (b"grpc-encoding", b"zstd"),
        (b"grpc-encoding", b"gzip"),
        (b"grpc-accept-encoding", b"," * 1000),
        (b"content-length", b"7"),
        (b"content-length", b"-1"),
        (b"host", b"other"),
        (b"grpc-tags-bin", b"AAAA"),
        (b"grpc-previous-rpc-attempts", b"-5"),
        (b"grpc-status", b"0"),
        (b"user-agent", b"\x01\x02"),
    )
    for name, value in more:
        yield Call(f"with {name.decode()} {value[:30]!r}", head(path, [(name, value)]), message)


def _with_bad_prefixes(aim: Aim) -> Iterator[Call]:
    path, body = aim.service.main, aim.service.unary[aim.service.main]
    gzipped = [(b"grpc-encoding", b"gzip")]
    yield Call("no message", head(path), b"")
    yield Call("half a prefix", head(path), b"\0\0\0")
    yield Call("length that is too large", head(path), grpc_message(body, length=len(body) + 5))
    yield Call("length of 4 GB", head(path), grpc_message(body, length=2**32 - 1))
    yield Call("length of 200 KB without content", head(path), grpc_message(b"", length=200 * 2**10))
    yield Call("length that is too small", head(path), grpc_message(body, length=3))
    yield Call("two messages", head(path), grpc_message(body) * 2)
    yield Call("200 messages", head(path), grpc_message(b"") * 200)
    yield Call("unknown flag", head(path), grpc_message(body, compressed=7))
    yield Call("compressed without encoding", head(path), grpc_message(gzip.compress(body), compressed=1))
    yield Call("gzip that is not gzip", head(path, gzipped), grpc_message(body, compressed=1))
    yield Call("gzip that ends early", head(path, gzipped), grpc_message(gzip.compress(body)[:-10], compressed=1))
    yield Call("gzip", head(path, gzipped), grpc_message(gzip.compress(body), compressed=1))


async def _each(aim: Aim, calls: list[Call], rounds: int) -> Outcomes:
    """Sends each call on a connection of its own; a reply, if any, counts by the name of the call."""
    return await all_of(_sent(aim, call) for _ in range(aim.times(rounds)) for call in calls)


async def _sent(aim: Aim, call: Call) -> str:
    async with connected(aim.target) as connection:
        await connection.greet()
        await connection.send(frame(HEADERS, END_HEADERS, 1, hpack.block(call.headers)))
        await connection.send_body(1, call.body)
        return f"{call.name}: {await connection.fate(1)}"


ATTACKS: dict[str, Attack] = {
    attack.__name__: attack for attack in (bad_timeouts, bad_headers, bad_prefixes, gzip_bombs, large_messages)
}
