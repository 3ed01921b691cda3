"""Bytes that no honest client sends, on a real socket (C4, W8): 400 or nothing, never a 5xx."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator

import pytest
from tests.integration.api_gateway.gateways import SERVICE_TOKEN, bearer
from tests.integration.api_gateway.served_gateways import Served, served_gateway

from api_gateway.settings import GatewaySettings

pytestmark = [pytest.mark.connected, pytest.mark.requirement("SCOPE-11")]

# Made once, and good for as long as a whole run may take.
AUTH = bearer("ann", minutes=600)["Authorization"].encode()
POST, GET = b"POST /api/billing/checkout HTTP/1.1\r\n", b"GET /api/billing/plans HTTP/1.1\r\n"
HOST = b"Host: gateway\r\nAuthorization: " + AUTH + b"\r\n"
JSON = b"Content-Type: application/json\r\nIdempotency-Key: k\r\n"
# If it were taken for a request of its own, there would be a second answer.
HIDDEN = b"GET /api/billing/plans HTTP/1.1\r\nHost: hidden\r\nAuthorization: " + AUTH + b"\r\n\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
END = b"0\r\n\r\n"


def post(headers: bytes, body: bytes = b"") -> bytes:
    return POST + HOST + JSON + headers + b"\r\n" + body


def get(line: bytes = GET, headers: bytes = HOST) -> bytes:
    return line + headers + b"\r\n"


HOSTILE: dict[str, bytes] = {
    # where does the body end?
    "length and chunked": post(b"Content-Length: 4\r\n" + CHUNKED, END + HIDDEN),
    "chunked and length": post(CHUNKED + b"Content-Length: 4\r\n", END + HIDDEN),
    "chunked and length 0": post(CHUNKED + b"Content-Length: 0\r\n", END + HIDDEN),
    "two lengths": post(b"Content-Length: 2\r\nContent-Length: 90\r\n", b"{}" + HIDDEN),
    "two equal lengths": post(b"Content-Length: 2\r\nContent-Length: 2\r\n", b"{}"),
    "a list of lengths": post(b"Content-Length: 2, 2\r\n", b"{}" + HIDDEN),
    "negative length": post(b"Content-Length: -1\r\n", HIDDEN),
    "signed length": post(b"Content-Length: +2\r\n", b"{}" + HIDDEN),
    "hex length": post(b"Content-Length: 0x2\r\n", b"{}" + HIDDEN),
    "fraction length": post(b"Content-Length: 2.0\r\n", b"{}" + HIDDEN),
    "empty length": post(b"Content-Length:\r\n", HIDDEN),
    "huge length": post(b"Content-Length: 99999999999999999999999\r\n", b"{}"),
    "length in other digits": post("Content-Length: \u0662\r\n".encode(), b"{}"),
    "space in length": post(b"Content-Length: 1 2\r\n", b"{}" + HIDDEN),
    "unknown coding": post(b"Transfer-Encoding: gzip\r\n", HIDDEN),
    "identity coding": post(b"Transfer-Encoding: identity\r\n", HIDDEN),
    "chunked twice": post(b"Transfer-Encoding: chunked, chunked\r\n", END + HIDDEN),
    "chunked not last": post(b"Transfer-Encoding: chunked, gzip\r\n", END + HIDDEN),
    "two codings": post(CHUNKED + b"Transfer-Encoding: identity\r\n", END + HIDDEN),
    "coding with a tab": post(b"Transfer-Encoding:\tx-chunked\r\n", END + HIDDEN),
    "coding in quotes": post(b'Transfer-Encoding: "chunked"\r\n', END + HIDDEN),
    "space before the colon": post(b"Transfer-Encoding : chunked\r\n", END + HIDDEN),
    "folded coding": post(b"Transfer-Encoding:\r\n chunked\r\n", END + HIDDEN),
    "folded header": post(b"X-Long: a\r\n b\r\nContent-Length: 2\r\n", b"{}"),
    # chunks
    "chunk size is no number": post(CHUNKED, b"zz\r\n{}\r\n" + END),
    "chunk size negative": post(CHUNKED, b"-2\r\n{}\r\n" + END),
    "chunk size signed": post(CHUNKED, b"+2\r\n{}\r\n" + END),
    "chunk size with 0x": post(CHUNKED, b"0x2\r\n{}\r\n" + END),
    "chunk size huge": post(CHUNKED, b"ffffffffffffffffff\r\n{}\r\n" + END),
    "chunk size empty": post(CHUNKED, b"\r\n{}\r\n" + END),
    "chunk longer than said": post(CHUNKED, b"1\r\n{}\r\n" + END + HIDDEN),
    "chunk without an end": post(CHUNKED, b"2\r\n{}" + b"XX" + END),
    "chunk ended by LF": post(CHUNKED, b"2\n{}\n0\n\n" + HIDDEN),
    # lines and names
    "no request": b"\x00\x01\x02\x03\r\n\r\n",
    "TLS to a plain port": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 32,
    "another protocol": b"SSH-2.0-client\r\n\r\n",
    "HTTP/0.9": b"GET /api/billing/plans\r\n\r\n",
    "HTTP/3.7": get(b"GET /api/billing/plans HTTP/3.7\r\n"),
    "HTTP/1.x": get(b"GET /api/billing/plans HTTP/1.x\r\n"),
    "lower-case protocol": get(b"GET /api/billing/plans http/1.1\r\n"),
    "the HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "space in the path": get(b"GET /api/billing/pl ans HTTP/1.1\r\n"),
    "NUL in the path": get(b"GET /api/billing/\x00plans HTTP/1.1\r\n"),
    "control byte in the path": get(b"GET /api/\x1bbilling/plans HTTP/1.1\r\n"),
    "header without a colon": get(headers=HOST + b"Nonsense\r\n"),
    "header without a name": get(headers=HOST + b": x\r\n"),
    "header name with a space": get(headers=HOST + b"X Y: x\r\n"),
    "header name with a bracket": get(headers=HOST + b"X(Y): x\r\n"),
    "NUL in a header": get(headers=HOST + b"X-Y: a\x00b\r\n"),
    "bare CR in a header": get(headers=HOST + b"X-Y: a\rb\r\n"),
    "header first, then the line": HOST + GET + b"\r\n",
    "two hosts": get(headers=HOST + b"Host: other\r\n"),
    "no host": get(headers=b"Authorization: " + AUTH + b"\r\n"),
    "a head of 20 KiB": get(headers=HOST + b"X-Long: " + b"x" * 20_000 + b"\r\n"),
    "a hundred and more headers": get(
        headers=HOST + b"".join(b"X-%d: 1\r\n" % number for number in range(150))
    ),
    "a URL of 20 KiB": get(b"GET /api/billing/plans?" + b"x" * 20_000 + b" HTTP/1.1\r\n"),
}
METHODS = ("TRACE", "CONNECT", "OPTIONS", "PROPFIND", "BREW", "get", "SOURCE", "PURGE")


@pytest.fixture
def served(gateway_settings: GatewaySettings) -> Iterator[Served]:
    with served_gateway(gateway_settings) as served:
        yield served


def statuses(received: bytes) -> list[int]:
    return [int(found) for found in re.findall(rb"HTTP/1\.1 (\d{3})", received)]


async def test_fifty_hostile_requests_and_more_get_one_400(served: Served) -> None:
    assert len(HOSTILE) >= 50
    odd: dict[str, list[int]] = {}
    for name, sent in HOSTILE.items():
        received = await served.send_raw(sent)
        found = statuses(received)
        if found not in ([400], [413]):
            odd[name] = found
            continue
        assert b"application/problem+json" in received, name
        assert b'"error":{' in received, name
        assert b"server:" not in received.lower(), name
    assert odd == {}


async def test_methods_that_nobody_needs_are_not_allowed(served: Served) -> None:
    for method in METHODS:
        target = b"gateway:80" if method == "CONNECT" else b"/api/billing/plans"
        for headers in (HOST, b"Host: gateway\r\n"):  # nobody is asked who they are before that
            received = await served.send_raw(
                method.encode() + b" " + target + b" HTTP/1.1\r\n" + headers + b"\r\n"
            )
            assert statuses(received) in ([400], [405]), (method, received[:200])


async def test_an_honest_request_is_answered_and_kept_open(served: Served) -> None:
    last = b"Connection: close\r\n"
    received = await served.send_raw(get() + get() + post(b"Content-Length: 2\r\n" + last, b"{}"))
    assert statuses(received) == [200, 200, 400]
    chunked = post(CHUNKED + last, b"2;ext=1\r\n{}\r\n" + END)
    assert statuses(await served.send_raw(chunked)) == [400]  # read whole: fields are missing
    assert b"field_errors" in await served.send_raw(chunked)
    internal = b"Host: gateway\r\nAuthorization: Bearer " + SERVICE_TOKEN.encode() + b"\r\n"
    answer = await served.send_raw(
        b"GET /internal/v1/service-tokens/none HTTP/1.1\r\n" + internal + last + b"\r\n"
    )
    assert statuses(answer) == [404]


@pytest.mark.slow
async def test_slow_heads_are_closed_and_others_do_not_wait(served: Served) -> None:
    async def drip() -> float:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        started = time.monotonic()
        reading = asyncio.ensure_future(reader.read())
        for byte in GET + HOST:
            if reading.done():
                break
            try:
                writer.write(bytes([byte]))
                await writer.drain()
            except ConnectionError:
                break
            await asyncio.wait({reading}, timeout=0.25)
        reading.cancel()
        await asyncio.wait({reading})
        writer.close()
        return time.monotonic() - started

    dripping = [asyncio.create_task(drip()) for _ in range(100)]
    waits = []
    for _ in range(20):
        started = time.monotonic()
        received = await served.send_raw(get(headers=HOST + b"Connection: close\r\n"))
        assert statuses(received) == [200]
        waits.append(time.monotonic() - started)
    lived_seconds = await asyncio.gather(*dripping)
    assert max(lived_seconds) < 20  # ten, and room for a busy machine
    assert sorted(waits)[len(waits) // 2] < 2
