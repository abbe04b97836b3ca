"""HPACK (RFC 7541) without Huffman codes: gRPC's C core does not send them, and needs none."""

from __future__ import annotations

from collections.abc import Iterable

Header = tuple[bytes, bytes]
_INDEXED, _INCREMENTAL, _SIZE_UPDATE = 0x80, 0x40, 0x20
_HUFFMAN = 0x80
_ENTRY_OVERHEAD = 32
_STATIC_NAMES = """
:authority :method :method :path :path :scheme :scheme :status :status :status :status :status :status :status
accept-charset accept-encoding accept-language accept-ranges accept access-control-allow-origin age allow authorization
cache-control content-disposition content-encoding content-language content-length content-location content-range
content-type cookie date etag expect expires from host if-match if-modified-since if-none-match if-range
if-unmodified-since last-modified link location max-forwards proxy-authenticate proxy-authorization range referer
refresh retry-after server set-cookie strict-transport-security transfer-encoding user-agent vary via www-authenticate
"""
_STATIC_VALUES = {2: "GET", 3: "POST", 4: "/", 5: "/index.html", 6: "http", 7: "https", 16: "gzip, deflate"} | dict(
    zip(range(8, 15), ["200", "204", "206", "304", "400", "404", "500"], strict=True)
)
STATIC: list[Header] = [
    (name.encode(), _STATIC_VALUES.get(index, "").encode()) for index, name in enumerate(_STATIC_NAMES.split(), 1)
]


def integer(value: int, bits: int, first: int = 0) -> bytes:
    """Encodes an integer with a prefix of `bits` bits; `first` has the other bits of the first byte (section 5.1)."""
    limit = (1 << bits) - 1
    if value < limit:
        return bytes((first | value,))
    encoded, value = bytearray((first | limit,)), value - limit
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*encoded, value))


def literal(name: bytes, value: bytes, *, indexed: bool = False) -> bytes:
    """Encodes a header with a literal name; with `indexed`, the peer adds it to its table (section 6.2)."""
    first = _INCREMENTAL if indexed else 0
    return bytes((first,)) + integer(len(name), 7) + name + integer(len(value), 7) + value


def reference(index: int) -> bytes:
    """Encodes a reference to an entry of the peer's table; 62 is the newest entry that was added (section 6.1)."""
    return integer(index, 7, _INDEXED)


def size_update(size: int) -> bytes:
    """Encodes a change of the size of the peer's table (section 6.3)."""
    return integer(size, 5, _SIZE_UPDATE)


def block(headers: Iterable[Header]) -> bytes:
    """Encodes `headers` without the peer's table."""
    return b"".join(literal(name, value) for name, value in headers)


class Decoder:
    """Decodes the header blocks of one connection, in order. Raises ValueError for Huffman codes and bad indices."""

    def __init__(self) -> None:
        self._entries: list[Header] = []
        self._max_size = 4096

    def decode(self, encoded: bytes) -> list[Header]:
        """Returns the headers of one block."""
        headers, at = [], 0
        while at < len(encoded):
            first = encoded[at]
            if first & _INDEXED:
                index, at = _read_integer(encoded, at, 7)
                headers.append(self._entry(index))
            elif first & _INCREMENTAL:
                header, at = self._read_literal(encoded, at, 6)
                headers.append(header)
                self._entries.insert(0, header)
                self._evict()
            elif first & _SIZE_UPDATE:
                self._max_size, at = _read_integer(encoded, at, 5)
                self._evict()
            else:
                header, at = self._read_literal(encoded, at, 4)
                headers.append(header)
        return headers

    def _read_literal(self, encoded: bytes, at: int, bits: int) -> tuple[Header, int]:
        index, at = _read_integer(encoded, at, bits)
        if index:
            name = self._entry(index)[0]
        else:
            name, at = _read_text(encoded, at)
        value, at = _read_text(encoded, at)
        return (name, value), at

    def _entry(self, index: int) -> Header:
        entries = [*STATIC, *self._entries]
        if not 0 < index <= len(entries):
            raise ValueError(f"the header table has no entry {index}")
        return entries[index - 1]

    def _evict(self) -> None:
        while sum(len(name) + len(value) + _ENTRY_OVERHEAD for name, value in self._entries) > self._max_size:
            self._entries.pop()


def _read_integer(encoded: bytes, at: int, bits: int) -> tuple[int, int]:
    limit = (1 << bits) - 1
    value, at = encoded[at] & limit, at + 1
    if value < limit:
        return value, at
    shift = 0
    while True:
        byte, at = encoded[at], at + 1
        value += (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return value, at


def _read_text(encoded: bytes, at: int) -> tuple[bytes, int]:
    if encoded[at] & _HUFFMAN:
        raise ValueError("Huffman codes are not decoded")
    length, at = _read_integer(encoded, at, 7)
    return encoded[at : at + length], at + length
