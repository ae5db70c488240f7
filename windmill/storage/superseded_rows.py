"""Counts result rows that were not kept, because `results` has a success or a newer submission for the same job."""

import logging

from windmill.core.log_throttle import Throttle

logger = logging.getLogger(__name__)


class SupersededRows:
    """The count since the process started, and a throttled log line: each of these answers was paid for. A message that
    the broker delivers again after a crash is counted as well. Mutable."""

    def __init__(self) -> None:
        self.count = 0
        self._throttle = Throttle()

    def note(self, rows: int) -> None:
        """Count `rows` that a commit did not keep."""
        if rows <= 0:
            return
        self.count += rows
        if admitted := self._throttle.admit("superseded"):
            said = "results has a success or a newer submission for the same jobs, so these rows were not kept"
            logger.warning(said, extra={"rows": rows, "rows_so_far": self.count, **admitted.extra()})
