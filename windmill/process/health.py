"""Whether a process is well: named pings, each of which says what is wrong or nothing.

A ping tells what the process knows already. It opens no connection, so that whoever asks costs nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

Ping = Callable[[], str | None]


@dataclass(frozen=True)
class Report:
    """The pings that found nothing, and what the others found."""

    ok: list[str]
    failing: dict[str, str]


class Health:
    """`alive`: a process that fails these has to be started anew. `ready`: one that fails these waits for something,
    and goes on by itself."""

    def __init__(self, *, alive: Mapping[str, Ping], ready: Mapping[str, Ping]) -> None:
        self._alive = dict(alive)
        self._ready = dict(ready)

    def alive(self) -> Report:
        return _report(self._alive)

    def ready(self) -> Report:
        """A process that is not alive is not ready either."""
        return _report(self._alive | self._ready)


def _report(pings: Mapping[str, Ping]) -> Report:
    found = {name: _found(ping) for name, ping in pings.items()}
    return Report(
        ok=[name for name, trouble in found.items() if trouble is None],
        failing={name: trouble for name, trouble in found.items() if trouble is not None},
    )


def _found(ping: Ping) -> str | None:
    try:
        return ping()
    except Exception as error:  # noqa: BLE001 - a ping that breaks is a finding, and hides no other
        return f"the ping itself failed: {error!r}"
