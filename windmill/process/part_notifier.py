"""sd_notify for a process of several parts: systemd knows it as one."""

import time
from collections.abc import Callable, Iterable

from windmill.core.settings import Supervisor
from windmill.process.systemd import Notifier

Clock = Callable[[], float]


class PartNotifier(Notifier):
    """Keeps what one part says, and tells the process that it has changed."""

    def __init__(self, changed: Callable[[], None], supervised_by: Supervisor | None, clock: Clock) -> None:
        super().__init__(supervised_by, clock=clock)
        self._changed = changed
        self.is_ready = False
        self.said = ""

    def ready(self, status: str) -> None:
        self.is_ready = True
        self.status(status)

    def status(self, status: str) -> None:
        self.said = status
        self._changed()


class SharedNotifier(Notifier):
    """Ready once all parts are, stalled when one of them is, and its status is theirs."""

    def __init__(
        self, parts: Iterable[str], supervised_by: Supervisor | None = None, *, clock: Clock = time.monotonic
    ) -> None:
        super().__init__(supervised_by, clock=clock)
        self.parts = {name: PartNotifier(self._tell, supervised_by, clock) for name in parts}

    def stalled(self) -> str | None:
        troubles = ((name, part.stalled()) for name, part in self.parts.items())
        return next((f"{name}: {trouble}" for name, trouble in troubles if trouble), None)

    def _tell(self) -> None:
        said = "; ".join(f"{name}: {part.said}" for name, part in self.parts.items() if part.said)
        if all(part.is_ready for part in self.parts.values()):
            self.ready(said)
        else:
            self.status(said)
