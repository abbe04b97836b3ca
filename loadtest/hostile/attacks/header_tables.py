"""HPACK bombs: small header blocks that are large once they are decoded, or that are broken."""

from __future__ import annotations

from collections.abc import Iterator

from loadtest.hostile import hpack
from loadtest.hostile.attacks import AT_ONCE, Aim, Attack, Outcomes, all_of
from loadtest.hostile.connection import connected, head
from loadtest.hostile.frames import CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, frame, grpc_message

FRAME_BYTES = 16_000
ROUNDS = 50
NEWEST = 62  # the index of the newest entry of the table


async def hpack_bomb(aim: Aim) -> Outcomes:
    """Refers 15,000 times to one header of 3 KB: 45 MB in a block of 15 KB."""
    bomb = hpack.literal(b"bomb", b"a" * 3000, indexed=True) + hpack.reference(NEWEST) * 15_000
    return await all_of(_asked(aim, bomb) for _ in range(aim.times(ROUNDS)))


async def hpack_bomb_in_parts(aim: Aim) -> Outcomes:
    """The same in 20 frames: a block of 300 KB."""
    return await _bombs_in_parts(aim, acknowledges=True)


async def unacknowledged_hpack_bomb(aim: Aim) -> Outcomes:
    """The same before the server's SETTINGS are acknowledged: until then, gRPC accepts 16 MB of metadata."""
    return await _bombs_in_parts(aim, acknowledges=False)


async def _bombs_in_parts(aim: Aim, *, acknowledges: bool) -> Outcomes:
    more = b"".join(frame(CONTINUATION, 0, 1, hpack.reference(NEWEST) * FRAME_BYTES) for _ in range(20))
    add = hpack.block(head(aim.service.main)) + hpack.literal(b"bomb", b"a" * 3000, indexed=True)
    bomb = frame(HEADERS, 0, 1, add) + more + frame(CONTINUATION, END_HEADERS, 1)

    async def send() -> str:
        async with connected(aim.target) as connection:
            await connection.greet()
            if acknowledges:
                await connection.acknowledge()
            await connection.send(bomb)
            return await connection.fate(1)

    # Without the limit, each call takes 16 MB: one after the other shows whether a call returns them.
    return await all_of((send() for _ in range(aim.times(10))), at_once=AT_ONCE if acknowledges else 1)


async def many_headers(aim: Aim) -> Outcomes:
    """Sends thousands of the smallest headers."""
    return await all_of(_asked(aim, hpack.literal(b"a", b"") * 3000) for _ in range(aim.times(ROUNDS)))


async def table_churn(aim: Aim) -> Outcomes:
    """Fills the server's table with new entries, so that each evicts an older one."""
    return await all_of(_asked(aim, _entries(number)) for number in range(aim.times(ROUNDS)))


async def large_metadata(aim: Aim) -> Outcomes:
    """Sends 64 KB of metadata, in one header and in many."""
    one = hpack.literal(b"large", b"a" * 65_536)
    many = b"".join(hpack.literal(b"n%d" % number, b"a" * 1000) for number in range(64))
    return await all_of(_asked(aim, block) for _ in range(aim.times(ROUNDS)) for block in (one, many))


async def broken_blocks(aim: Aim) -> Outcomes:
    """Sends header blocks that break the rules of HPACK."""
    return await all_of(_named(aim, name, data) for _ in range(aim.times(5)) for name, data in broken())


def broken() -> Iterator[tuple[str, bytes]]:
    """Yields parts of header blocks that break a rule of RFC 7541, each with the rule."""
    yield "reference to entry 0", hpack.reference(0)
    yield "reference to an entry that does not exist", hpack.reference(2**20)
    yield "integer that overflows", b"\xff" + b"\xff" * 20 + b"\x01"
    yield "integer that does not end", b"\xff" + b"\x80" * 200
    yield "table that is larger than allowed", hpack.size_update(2**30)
    yield "many changes of the table's size", hpack.size_update(0) * 500
    yield "change of the table's size at the end", hpack.literal(b"a", b"b") + hpack.size_update(100)
    yield "text that ends early", b"\x00\x7f" + hpack.integer(10_000 - 127, 7) + b"abc"
    yield "Huffman code that is not known", b"\x00\x01a\x84\xff\xff\xff\xff"
    yield "Huffman code with too much padding", b"\x00\x01a\x82\xff\xff"
    yield "name with capitals", hpack.literal(b"UPPER", b"a")
    yield "name with a line break", hpack.literal(b"a\r\nb", b"a")
    yield "empty name", hpack.literal(b"", b"a")
    yield "value with a line break", hpack.literal(b"a", b"b\r\nc: d")
    yield "value with a zero byte", hpack.literal(b"a", b"b\0c")
    yield "value that is not ASCII", hpack.literal(b"a", bytes(range(128, 256)))
    yield "value that is not Base64", hpack.literal(b"a-bin", b"!!!!")
    yield "pseudo header after the others", hpack.literal(b":path", b"/other")
    yield "unknown pseudo header", hpack.literal(b":other", b"a")
    yield "header of a connection", hpack.literal(b"connection", b"keep-alive")


def _entries(number: int) -> bytes:
    return b"".join(hpack.literal(b"n%d-%d" % (number, entry), b"v", indexed=True) for entry in range(1000))


async def _named(aim: Aim, name: str, data: bytes) -> str:
    return f"{name}: {await _asked(aim, data)}"


async def _asked(aim: Aim, more: bytes) -> str:
    """Sends a whole request with `more` in its header block, and returns the status or what else came back."""
    encoded = hpack.block(head(aim.service.main)) + more
    parts = [encoded[at : at + FRAME_BYTES] for at in range(0, len(encoded), FRAME_BYTES)]
    frames = [frame(CONTINUATION if at else HEADERS, 0, 1, part) for at, part in enumerate(parts[:-1])]
    frames.append(frame(CONTINUATION if len(parts) > 1 else HEADERS, END_HEADERS, 1, parts[-1]))
    body = frame(DATA, END_STREAM, 1, grpc_message(aim.service.unary[aim.service.main]))
    async with connected(aim.target) as connection:
        await connection.greet()
        await connection.acknowledge()  # gRPC enforces the limit of metadata only then
        await connection.send(b"".join(frames) + body)
        return await connection.fate(1)


ATTACKS: dict[str, Attack] = {
    attack.__name__: attack
    for attack in (
        hpack_bomb,
        hpack_bomb_in_parts,
        unacknowledged_hpack_bomb,
        many_headers,
        table_churn,
        large_metadata,
        broken_blocks,
    )
}
