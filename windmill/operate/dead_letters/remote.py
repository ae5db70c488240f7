"""Parked jobs over HTTP, with the same results as on a machine of the fleet."""

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

from windmill.core.errors import WindmillError
from windmill.operate.dead_letters.dead_letter import DeadLetterFilter, FailureKey
from windmill.operate.dead_letters.sweep import SweepOutcome
from windmill.operate.progress import OnProgress, ProgressUpdate
from windmill.operate.view import View

if TYPE_CHECKING:
    from windmill.client import AsyncClient
    from windmill.operate.dead_letters.serving_commands import FailedAsk, SweepAsk

MOST = 10_000
"""What a gateway does at once."""
MOST_IMAGES = 1_000


async def view_failed(client: "AsyncClient", ask: "FailedAsk", stop: asyncio.Event) -> View:  # noqa: ARG001
    _must_be_few(ask.selection)
    wanted = {"services": ask.services, "scan": ask.scan, "limit": ask.keep, "form": ask.form}
    return await _view(client, "failed", {**wanted, **_named(ask.selection)})


async def view_failed_image(
    client: "AsyncClient",
    services: str,
    image_id: int,
    scan: int,
    stop: asyncio.Event,  # noqa: ARG001 - one request
) -> View:
    return await _view(client, "failed_image", {"services": services, "scan": scan, "image_id": image_id})


async def sweep_failed(
    client: "AsyncClient", ask: "SweepAsk", stop: asyncio.Event, on_progress: OnProgress
) -> SweepOutcome:
    """At most so many at a time as a gateway does; more are asked for until none is left. A purge counts before, and
    throws away no more."""
    if ask.rate is not None:
        raise WindmillError("USAGE", "--rate works on a machine of the fleet alone", "leave it out, or run it there")
    _must_be_few(ask.selection)
    counts: Counter[FailureKey] = Counter()
    while True:
        left = MOST if ask.limit is None else min(ask.limit - counts.total(), MOST)
        answer = await _sweep_some(client, ask, left)
        counts.update({(one["service"], one["code"]): one["jobs"] for one in answer["summary"]})
        on_progress(ProgressUpdate("", "jobs", counts.total(), counts.total()))
        over = answer["jobs"] < MOST or counts.total() == ask.limit
        if over or ask.dry_run or stop.is_set():
            interrupted = answer["interrupted"] or (stop.is_set() and not over)
            return SweepOutcome(ask.action, counts, answer["kept"], dry_run=ask.dry_run, interrupted=interrupted)


async def _sweep_some(client: "AsyncClient", ask: "SweepAsk", limit: int) -> dict[str, Any]:
    body = {"services": ask.services.split(","), "limit": limit, **_named(ask.selection, listed=True)}
    if ask.action == "purge" and not ask.dry_run:
        counted = await _post(client, ask.action, {**body, "dry_run": True})
        return await _post(client, ask.action, {**body, "expect": counted["jobs"]})
    return await _post(client, ask.action, {**body, "dry_run": ask.dry_run})


async def _post(client: "AsyncClient", action: str, body: dict[str, Any]) -> dict[str, Any]:
    from windmill.client.calls import Call

    return dict((await client.call(Call("POST", f"/failed/{action}", json=body))).json())


def _must_be_few(selection: DeadLetterFilter) -> None:
    if selection.image_ids is not None and len(selection.image_ids) > MOST_IMAGES:
        said = f"over HTTP at most {MOST_IMAGES:,} images are named"
        raise WindmillError("USAGE", said, "name fewer, or run it on a machine of the fleet")


def _named(selection: DeadLetterFilter, *, listed: bool = False) -> dict[str, Any]:
    """As a body has it, or as a query, where lists are separated by commas."""
    moments = {"before": selection.failed_before, "after": selection.failed_after}
    found: dict[str, Any] = {name: one.isoformat() for name, one in moments.items() if one}
    for name, some in (("codes", selection.codes), ("image_ids", selection.image_ids)):
        if some is not None:
            found[name] = sorted(some) if listed else ",".join(map(str, sorted(some)))
    return found


async def _view(client: "AsyncClient", name: str, query: dict[str, Any]) -> View:
    from windmill.client.calls import Call

    found = (await client.call(Call("GET", f"/views/{name}", query))).json()
    return View(found["document"], found["text"], found["notes"], found["exit_code"])
