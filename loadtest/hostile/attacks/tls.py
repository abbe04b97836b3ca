"""Clients without a certificate at a port with TLS: half handshakes, and bytes that are not TLS."""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl

from loadtest.hostile.attacks import Aim, Attack, Outcomes, all_of
from loadtest.hostile.attacks.slow import MARGIN_S
from loadtest.hostile.connection import connected
from mesh.serving import HANDSHAKE_S

HALF, WHOLE = 1000, 300
RECORD_HEAD_BYTES = 5


async def half_tls_handshakes(aim: Aim) -> Outcomes:
    """Sends a valid ClientHello, whose answer costs the server a signature, and then nothing."""
    hello = client_hello()
    return await all_of((_until_closed(aim, hello) for _ in range(aim.times(HALF))), at_once=HALF)


async def broken_tls_records(aim: Aim) -> Outcomes:
    """Sends half a ClientHello, a ClientHello with random bytes, and other records."""
    hello = client_hello()
    broken = [
        hello[: len(hello) // 2],
        hello[:RECORD_HEAD_BYTES] + os.urandom(len(hello) - RECORD_HEAD_BYTES),
        b"\x16\x03\x01\xff\xff" + hello,
        b"\x17\x03\x03\x00\x10" + bytes(16),
        b"\x15\x03\x03\x00\x02\x02\x28",
        hello * 50,
    ]
    return await all_of((_until_closed(aim, data) for _ in range(aim.times(10)) for data in broken), at_once=HALF)


async def handshakes_without_certificate(aim: Aim) -> Outcomes:
    """Completes handshakes as far as a client without a certificate can."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])

    async def shake() -> str:
        try:
            async with asyncio.timeout(HANDSHAKE_S + MARGIN_S):
                reader, writer = await asyncio.open_connection(*aim.target, ssl=context)
                try:
                    return "open" if await reader.read(1) else "closed"
                finally:
                    writer.transport.abort()
        except (OSError, TimeoutError) as error:  # TLS 1.3 reports the missing certificate at the first read
            return "open" if isinstance(error, TimeoutError) else "closed"

    return await all_of(shake() for _ in range(aim.times(WHOLE)))


def client_hello() -> bytes:
    """Returns the first record that a client of TLS 1.3 sends."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing)
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


async def _until_closed(aim: Aim, data: bytes) -> str:
    async with connected(aim.target) as connection:
        await connection.send(data)
        try:
            async with asyncio.timeout(HANDSHAKE_S + MARGIN_S):
                while await connection.reader.read(2**16):
                    pass
        except TimeoutError:
            return "open"
        except OSError:
            pass
        return "closed"


TLS_ATTACKS: dict[str, Attack] = {
    attack.__name__: attack for attack in (half_tls_handshakes, broken_tls_records, handshakes_without_certificate)
}
