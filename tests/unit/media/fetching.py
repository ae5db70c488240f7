"""Web servers and names for tests of fetching."""

import socket
from collections.abc import Callable

from aiohttp.abc import AbstractResolver, ResolveResult

from tests.unit.imaging import JPEG
from tests.unit.loopback import reply

PRIVATE = [
    "127.0.0.1",
    "127.8.9.10",
    "localhost",
    "LOCALHOST",
    "[::1]",
    "[::]",
    "localhost.",
    "0.0.0.0",
    "0",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.169.254",
    "[fe80::1]",
    "[fc00::1]",
    "[fec0::1]",
    "[::127.0.0.1]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b:1::7f00:1]",
    "[2002:7f00:1::]",
    "[2001:0:7f00:1::]",
    "[fe80::1%25lo]",
    "[::ffff:127.0.0.1%25lo]",
    "224.0.0.1",
    "[ff02::1]",
    "255.255.255.255",
    "168.63.129.16",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::ffff:10.0.0.1]",
    "2130706433",
    "127.1",
    "0177.0.0.1",
    "017700000001",
    "0x7f.1",
    "0x7f000001",
    "127.0.0.1.",
    "127.000.000.001",
    "\uff11\uff12\uff17.0.0.1",
    "\u2460\u2461\u2466.0.0.1",
    "example.com@127.0.0.1",
    "example.com:80@127.0.0.1",
]


def redirecting(times: int) -> Callable[[str], bytes]:
    """Leads from /n to /n+1, until the picture after so many `times`."""

    def answer(path: str) -> bytes:
        step = int(path.strip("/") or 0)
        return reply(JPEG) if step == times else reply(b"", "307 Temporary Redirect", f"Location: {step + 1}")

    return answer


class Names(AbstractResolver):
    """Answers each question for any name with the next of these addresses, and the last one for ever."""

    def __init__(self, *addresses: str) -> None:
        self._addresses = addresses
        self.asked = 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        address = self._addresses[min(self.asked, len(self._addresses) - 1)]
        self.asked += 1
        return [
            ResolveResult(hostname=host, host=address, port=port, family=socket.AF_INET, proto=0, flags=0),
        ]

    async def close(self) -> None:
        pass
