"""The order of tasks in the queue of one step: fair between principals, and a higher priority goes first for a while.

This is self-clocked fair queueing (Golestani, 1994). Each task has a tag, its virtual finish time; the virtual time of
the queue is the tag of what was claimed last. A principal that comes late starts at the virtual time, so it neither
waits behind the backlog of others nor is given what it did not ask for earlier.
"""

from typing import NamedTuple


class FairTags(NamedTuple):
    """The tags of consecutive tasks of one principal. The n-th, from 0, has the tag `first + n * spacing` and the place
    `tag - lead`; the lowest place is claimed first."""

    first: float
    spacing: float
    lead: float

    def tag(self, number: int) -> float:
        return self.first + number * self.spacing

    def place(self, number: int) -> float:
        return self.tag(number) - self.lead


def fair_tags(
    virtual_time: float, last_tag: float | None, *, cost: float, weight: float, priority: int, head_start: float
) -> FairTags:
    """Tags for new tasks of a principal whose last open task has `last_tag`, or that has none.

    `cost` is what one task takes, in seconds; a principal of weight 2 gets twice the share. Each class of priority
    starts `head_start` seconds of virtual time earlier, so a low one waits that long at most for a higher one."""
    spacing = max(cost, MIN_COST) / weight
    before = virtual_time if last_tag is None else max(virtual_time, last_tag)
    return FairTags(before + spacing, spacing, priority * head_start)


MIN_COST = 0.001
"""Seconds. Without it, tasks that cost nothing would all have one tag, and the virtual time would stand still."""
