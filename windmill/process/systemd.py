"""Telling systemd how this process does: ready, alive, stopping. Nothing happens where systemd does not ask."""

import asyncio
import contextlib
import math
import socket
import time
from collections.abc import Awaitable, Callable

from windmill.core.settings import Supervisor, supervisor

STALE_SECONDS = 30.0


class Notifier:
    """Sends states to the socket that systemd named; elsewhere it is silent."""

    def __init__(
        self,
        asked: Supervisor | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        rest: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._asked = asked or supervisor()
        self._clock = clock
        self._rest = rest
        self._ticked = clock()

    def ready(self, status: str) -> None:
        self._send("READY=1")
        self.status(status)

    def status(self, status: str) -> None:
        # A second line would be another report.
        self._send(f"STATUS={' '.join(status.split())}")

    def stopping(self) -> None:
        """From here on it is TimeoutStopSec that ends a process which hangs: finishing may take long."""
        self._send("STOPPING=1")
        self._ticked = math.inf

    def tick(self) -> None:
        """The main loop of the process came round."""
        self._ticked = self._clock()

    def late(self) -> str | None:
        """What is wrong when the main loop has not come round for long."""
        age = self._clock() - self._ticked
        return f"has not come round for {age:.0f} s" if age >= STALE_SECONDS else None

    async def keep_alive(self) -> None:
        """Give signs of life for as long as the main loop comes round, and not merely the event loop."""
        if self._asked is None or self._asked.watchdog_seconds is None:
            return
        while True:
            if not self.late():
                self._send("WATCHDOG=1")
            await self._rest(self._asked.watchdog_seconds / 3)

    def _send(self, state: str) -> None:
        if self._asked is None:
            return
        address = self._asked.socket
        # A name that begins with @ is one of Linux's abstract sockets.
        target = "\0" + address[1:] if address.startswith("@") else address
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto(state.encode(errors="replace"), target)
