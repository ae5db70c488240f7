"""A reader of an event stream on a bare socket, cheap enough for hundreds of them: it leaves at random, comes back to
any gateway with the last id that it has seen, and notes whether each event came once and in order."""

import asyncio
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

Id = tuple[int, ...]
_ID = re.compile(rb"^id: ([0-9-]+)\n(?!\n)", re.MULTILINE)
SECONDS_CONNECTED = 10.0
"""On the average."""


@dataclass
class RawEventReader:
    """Follows a path until it has seen `expected` events. `gap_free`: ids are numbers without a gap."""

    ports: Sequence[int]
    path: str
    key: str
    expected: int
    gap_free: bool
    last: Id = (0,)
    seen: int = 0
    connections: int = 0
    wrong: list[str] = field(default_factory=list)
    leaves: bool = True

    async def follow(self) -> None:
        while self.seen < self.expected and not self.wrong:
            try:
                async with asyncio.timeout(random.expovariate(1 / SECONDS_CONNECTED) if self.leaves else None):
                    await self._read()
            except (TimeoutError, OSError):
                continue

    async def _read(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", random.choice(self.ports))
        self.connections += 1
        try:
            writer.write(self._request())
            rest = b""
            while piece := await reader.read(65_536):
                whole, found, rest = (rest + piece).rpartition(b"\n\n")
                self._note(_ID.findall(whole + found))
                if self.seen >= self.expected:
                    return
        finally:
            writer.transport.abort()

    def _request(self) -> bytes:
        last = "-".join(map(str, self.last))
        lines = [f"GET {self.path} HTTP/1.0", "Host: localhost", "Accept: text/event-stream"]
        lines += [f"Authorization: Bearer {self.key}", f"Last-Event-ID: {last}"]
        return "\r\n".join([*lines, "", ""]).encode()

    def _note(self, ids: Sequence[bytes]) -> None:
        for one in ids:
            now = tuple(map(int, one.split(b"-")))
            if now <= self.last or (self.gap_free and now[0] != self.last[0] + 1):
                self.wrong.append(f"{now} after {self.last}")
            self.last = now
            self.seen += 1
