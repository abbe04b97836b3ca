"""HTTP/2 frames (RFC 9113, section 4) that may break the rules: wrong lengths, types, streams and flags."""

from __future__ import annotations

from typing import NamedTuple

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEAD_BYTES = 9
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM = ACK = 0x1
END_HEADERS, PADDED, HAS_PRIORITY = 0x4, 0x8, 0x20
HEADER_TABLE_SIZE, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE = 1, 3, 4, 5
NO_ERROR, ENHANCE_YOUR_CALM, CANCEL = 0x0, 0xB, 0x8


class Frame(NamedTuple):
    """One received frame."""

    kind: int
    flags: int
    stream: int
    payload: bytes


def frame(kind: int, flags: int = 0, stream: int = 0, payload: bytes = b"", length: int | None = None) -> bytes:
    """Encodes a frame. `length` is the length that its head claims; None: the true length."""
    claimed = len(payload) if length is None else length
    return claimed.to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def settings(**values: int) -> bytes:
    """Encodes a SETTINGS frame; the names are the constants of this file in lower case, or `n` and a number."""
    pairs = b"".join(_setting(name).to_bytes(2, "big") + value.to_bytes(4, "big") for name, value in values.items())
    return frame(SETTINGS, payload=pairs)


def _setting(name: str) -> int:
    return int(name[1:]) if name[1:].isdigit() else int(globals()[name.upper()])


def window_update(stream: int, increment: int) -> bytes:
    """Encodes a WINDOW_UPDATE frame."""
    return frame(WINDOW_UPDATE, stream=stream, payload=increment.to_bytes(4, "big"))


def rst_stream(stream: int, code: int = CANCEL) -> bytes:
    """Encodes a RST_STREAM frame."""
    return frame(RST_STREAM, stream=stream, payload=code.to_bytes(4, "big"))


def grpc_message(body: bytes, compressed: int = 0, length: int | None = None) -> bytes:
    """Encodes a message of gRPC with its prefix of 5 bytes. `length` is the length that the prefix claims."""
    return bytes((compressed,)) + (len(body) if length is None else length).to_bytes(4, "big") + body
