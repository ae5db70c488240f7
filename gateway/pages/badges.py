"""States as people see them: always a shape, a colour and a word. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Tone = Literal["good", "accent", "warn", "bad", "muted"]


@dataclass(frozen=True)
class Badge:
    """`shape` names a symbol of templates/_icons.html."""

    shape: str
    tone: Tone
    word: str


_SHAPES: Mapping[str, tuple[str, Tone]] = {
    "working": ("disc", "good"),
    "live": ("disc", "good"),
    "active": ("disc", "good"),
    "idle": ("ring", "muted"),
    "ready": ("ring", "muted"),
    "waiting": ("clock", "muted"),
    "queued": ("clock", "muted"),
    "blocked": ("clock", "muted"),
    "pending": ("clock", "muted"),
    "ready_for_claiming": ("clock", "muted"),
    "recording": ("disc", "accent"),
    "processing": ("play", "accent"),
    "publishing": ("play", "accent"),
    "running": ("play", "accent"),
    "cancelling": ("play", "warn"),
    "paused": ("bars", "warn"),
    "trying": ("half", "warn"),
    "stale": ("half", "warn"),
    "away": ("triangle", "bad"),
    "failed": ("cross", "bad"),
    "parked": ("cross", "bad"),
    "disabled": ("cross", "bad"),
    "done": ("tick", "good"),
    "completed": ("tick", "good"),
    "published": ("tick", "good"),
    "succeeded": ("tick", "good"),
    "delivered": ("tick", "good"),
    "warned": ("tick", "warn"),
    "lost": ("broken", "bad"),
    "cancelled": ("barred", "muted"),
    "expired": ("barred", "muted"),
    "revoked": ("barred", "muted"),
    "skipped": ("barred", "muted"),
}


def badge(state: str, word: str = "") -> Badge:
    """The badge of a state; `word` says more where the state alone does not."""
    shape, tone = _SHAPES.get(state, ("ring", "muted"))
    return Badge(shape, tone, word or state)
