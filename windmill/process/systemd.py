"""sd_notify: telling systemd that the process is ready, alive (watchdog) or stopping. No-op without NOTIFY_SOCKET."""

import asyncio
import contextlib
import math
import socket
import time
from collections.abc import Awaitable, Callable

from windmill.core.settings import Supervisor, supervisor

STALL_SECONDS = 30.0


class Notifier:
    """Sends states to the socket of systemd, if there is one."""

    def __init__(
        self,
        supervised_by: Supervisor | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._supervisor = supervised_by or supervisor()
        self._clock = clock
        self._sleep = sleep
        self._ticked = clock()

    def ready(self, status: str) -> None:
        self._send("READY=1")
        self.status(status)

    def status(self, status: str) -> None:
        # A newline would begin another state.
        self._send(f"STATUS={' '.join(status.split())}")

    def stopping(self) -> None:
        """Finishing may take long, so from now on TimeoutStopSec guards against hangs instead of the watchdog."""
        self._send("STOPPING=1")
        self._ticked = math.inf

    def tick(self) -> None:
        """Note that the main loop made an iteration."""
        self._ticked = self._clock()

    def stalled(self) -> str | None:
        """What is wrong, when the main loop has made no iteration for long."""
        age = self._clock() - self._ticked
        return f"no iteration for {age:.0f} s" if age >= STALL_SECONDS else None

    async def send_watchdog(self) -> None:
        """Send watchdog signals while the main loop iterates, which shows more than a running event loop."""
        if self._supervisor is None or self._supervisor.watchdog_seconds is None:
            return
        while True:
            if not self.stalled():
                self._send("WATCHDOG=1")
            await self._sleep(self._supervisor.watchdog_seconds / 3)

    def _send(self, state: str) -> None:
        if self._supervisor is None:
            return
        address = self._supervisor.socket
        # A name with a leading @ is an abstract socket.
        target = "\0" + address[1:] if address.startswith("@") else address
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto(state.encode(errors="replace"), target)
