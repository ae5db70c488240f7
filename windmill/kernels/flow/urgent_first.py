"""Whether an urgent or an ordinary job begins next, while both wait for the same service."""

ORDINARY_SHARE = 10
"""Of so many jobs that begin, one is ordinary, however many urgent ones wait: the backlog never stops."""


def urgent_is_next(urgent_in_a_row: int, *, urgent_waits: bool, ordinary_waits: bool) -> bool:
    """Urgent jobs go first, until `ORDINARY_SHARE - 1` of them have begun since the last ordinary one."""
    if not ordinary_waits:
        return urgent_waits
    return urgent_waits and urgent_in_a_row < ORDINARY_SHARE - 1
