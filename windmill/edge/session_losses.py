"""Jobs that were in hand when a broker session ended although the worker lived on.

The broker counts a delivery whose session ended like one whose worker crashed. Without a memory of these, a broker that
fails often enough would make good jobs look deadly. The memory ends with the process, and so with every real crash.
"""

from collections import OrderedDict
from dataclasses import replace

from windmill.edge.received_messages import Envelope

MOST_JOBS = 10_000


class SessionLosses:
    """How often each job was in hand at the end of a session; shared by all sessions of a process."""

    def __init__(self, most: int = MOST_JOBS) -> None:
        self._most = most
        self._times: OrderedDict[tuple[str, bytes], int] = OrderedDict()

    def note(self, service: str, body: bytes) -> None:
        """A session ended, or is about to, with this job unsettled."""
        self._times[service, body] = self._times.pop((service, body), 0) + 1
        if len(self._times) > self._most:
            self._times.popitem(last=False)

    def forget(self, service: str, body: bytes) -> None:
        """The job is settled, and a copy of it is counted from the start."""
        self._times.pop((service, body), None)

    def without_losses(self, service: str, body: bytes, envelope: Envelope) -> Envelope:
        """The envelope with a delivery count that leaves out lost sessions: with only those that killed a worker."""
        if not (envelope.handed_out or envelope.uncounted):
            return envelope
        times = self._times.get((service, body), 0)
        if not times:
            return envelope
        if envelope.uncounted:
            return replace(envelope, uncounted=False)  # a classic queue tells of one delivery, however many there were
        return replace(envelope, handed_out=max(envelope.handed_out - times, 0))
