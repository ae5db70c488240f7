"""Slow start after an outage: how many calls may be in flight until the service has shown that it bears them all.

    an outage ──► 1 call ──answered──► 2 ──answered──► 3, 4 ... ──► all

Each answer allows one more call, so the number doubles from round to round. What is in flight when the next outage
begins is lost with it, and counts against its jobs.

A service that flaps is never up for many rounds. So if the next outage comes soon, the start after it has twice as many
calls as were answered in between.
"""

FLAP_SECONDS = 60.0
"""An outage that begins so soon after another is of the same kind."""


class RampUp:
    """How many calls an outage allows for a while. Mutable: outages and answers are reported to it."""

    def __init__(self) -> None:
        self.limit: int | None = None
        """None means as many as the service takes otherwise."""
        self.flaps = False
        """Whether the service has answered something between the last two outages, which were soon after each other."""
        self._answers = 0
        self._probe_answered = False
        self._began = float("-inf")

    def outage_began(self, now: float) -> None:
        """Start with few calls when this outage is over."""
        soon = now - self._began < FLAP_SECONDS
        self.flaps = soon and (self._answers > 0 or self._probe_answered)
        self.limit = max(2 * self._answers, 1) if soon else 1
        self._answers, self._probe_answered = 0, False
        self._began = now

    def answered(self, full: int) -> None:
        """A call was answered: allow one more, until there are `full` of them."""
        self._answers += 1
        if self.limit is not None:
            self.limit = self.limit + 1 if self.limit + 1 < full else None

    def probe_answered(self) -> None:
        """A probe was answered: the service lives, but that says nothing about how many calls it bears."""
        self._probe_answered = True

    def allowed(self, full: int, old: int) -> int:
        """How many calls may be in flight of a service that takes `full` of them, if `old` ones were left over by the
        outage and may hang."""
        return full if self.limit is None else min(self.limit + old, full)
