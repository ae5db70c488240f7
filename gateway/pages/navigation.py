"""The ways through the pages, and who is shown which. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.caller import RANKS, Caller, RouteScope


@dataclass(frozen=True)
class Section:
    """One entry of the navigation. `name` is what pages of it give as their section."""

    name: str
    url: str
    title: str
    scope: RouteScope = "viewer"


SECTIONS: Sequence[Section] = (
    Section("overview", "/ui/", "Overview"),
    Section("images", "/ui/images", "Images"),
    Section("jobs", "/ui/jobs", "Jobs"),
    Section("sessions", "/ui/sessions", "Sessions"),
    Section("runs", "/ui/runs", "Runs"),
    Section("failures", "/ui/failures", "Failures"),
    Section("webhooks", "/ui/webhooks", "Webhooks", "operator"),
    Section("keys", "/ui/keys", "Keys", "admin"),
    Section("audit", "/ui/audit", "Audit", "admin"),
)
"""In their order; a further one is added here."""


def sections_for(caller: Caller | None) -> list[Section]:
    """Those that the caller may open."""
    return [one for one in SECTIONS if caller and RANKS[caller.scope] >= RANKS[one.scope]]
