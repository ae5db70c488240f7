"""Jobs and their files over HTTP: what windmill.operate.jobs does with the database, by a client of the gateway, and
with the same results."""

import re
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from windmill.core.errors import WindmillError
from windmill.operate.jobs.remote_many import sent_body
from windmill.operate.jobs.shown import Shown
from windmill.operate.jobs.target_names import select_files, target_names

if TYPE_CHECKING:
    from windmill.client import AsyncClient
    from windmill.operate.jobs.job_actions import JobChange
    from windmill.operate.jobs.job_filter import JobFilter
    from windmill.operate.jobs.preset_forks import ForkOrder
    from windmill.operate.jobs.preset_orders import PresetOrder

PAGE = 500
_VERSION = re.compile(r'"(\d+)-')


async def list_jobs(
    client: "AsyncClient", chosen: "JobFilter", limit: int, before: uuid.UUID | None = None
) -> list[Shown]:
    """Raises USAGE for filters that no gateway has."""
    _must_be_known(chosen, before)
    statuses, preset, code = ",".join(chosen.statuses or ()) or None, _only(chosen.presets), _only(chosen.error_codes)
    found: list[Shown] = []
    cursor: str | None = None
    while len(found) < limit:
        page = await client.page(statuses, preset, min(PAGE, limit - len(found)), cursor, code)
        found += [_same(dict(job)) for job in page["jobs"]]
        if not (cursor := page["next_cursor"]):
            break
    return found


def _must_be_known(chosen: "JobFilter", before: uuid.UUID | None) -> None:
    """A gateway lists by state, and by one preset and one error."""
    given = {"--kind": chosen.kinds, "--principal": chosen.principals, "--older-than": chosen.older_than}
    refused = [flag for flag, one in {**given, "--before": before}.items() if one is not None]
    several = {"--preset": chosen.presets, "--error-code": chosen.error_codes}
    refused += [f"a second {flag}" for flag, one in several.items() if one and len(one) > 1]
    if refused:
        said = f"jobs are listed by {' and '.join(refused)} on a machine of the fleet alone"
        raise WindmillError("USAGE", said, "leave it out, or run it there, without --url and WINDMILL_URL")


def _only(names: Sequence[str] | None) -> str | None:
    return names[0] if names else None


async def show_job(client: "AsyncClient", public_id: uuid.UUID) -> Shown:
    from windmill.client.calls import job_call

    response = await client.call(job_call(str(public_id)))
    version = _VERSION.match(response.headers.get("etag", ""))
    return {"last_event": int(version[1]) if version else 0, **_same(_without_outlook(response.json()["job"]))}


async def show_details(client: "AsyncClient", public_id: uuid.UUID) -> Shown:
    from windmill.client.calls import Call

    return dict((await client.call(Call("GET", f"/jobs/{public_id}/report"))).json()["report"])


def _without_outlook(job: Shown) -> Shown:
    """The outlook is there while a job goes on, and whom it waits for only if it waits."""
    goes_on = job["status"] in ("queued", "running")
    hidden = [] if goes_on else ["tasks_ahead", "eta_seconds"]
    hidden += [] if goes_on and job["waits_for"] else ["waits_for"]
    return {name: one for name, one in job.items() if name not in hidden}


async def list_events(client: "AsyncClient", public_id: uuid.UUID, after: int, limit: int) -> list[Shown]:
    found: list[Shown] = []
    while len(found) < limit:
        wanted = min(PAGE, limit - len(found))
        events = await client.events(str(public_id), found[-1]["seq"] if found else after, wanted)
        found += [_same(dict(event)) for event in events]
        if len(events) < wanted:
            break
    return found


async def ask_of_job(client: "AsyncClient", public_id: uuid.UUID, change: "JobChange") -> Shown:
    job = await client.ask(str(public_id), change.sent["action"], sent_body(change))
    return await show_job(client, uuid.UUID(job["public_id"]))


async def fork_preset_job(client: "AsyncClient", public_id: uuid.UUID, order: "ForkOrder") -> Shown:
    """Files are sent before the fork is asked for."""
    preset = (await client.job(str(public_id)))["preset"]
    inputs = await _sent_inputs(client, str(preset), order.inputs, order.files)
    body = {
        "from_step": order.from_step,
        "inputs": {**order.values, **inputs},
        "quality": order.quality,
        "engines": list(order.engines),
        "consent_given": order.consent,
    }
    job = await client.ask(str(public_id), "fork", body)
    return await show_job(client, uuid.UUID(job["public_id"]))


async def submit_preset(client: "AsyncClient", order: "PresetOrder") -> Shown:
    """The same."""
    job = await client.submit(
        order.preset,
        await _sent_inputs(client, order.preset, order.inputs, order.files),
        quality=order.quality,
        engines=order.engines,
        consent_given=order.consent,
        priority=order.priority or None,
        idempotency_key=order.key,
    )
    return await show_job(client, uuid.UUID(job["public_id"]))


async def _sent_inputs(
    client: "AsyncClient", preset: str, inputs: Mapping[str, Sequence[str]], files: Mapping[str, Sequence[Path]]
) -> dict[str, object]:
    """Values typed by the schema of the preset, and the ids of files, which are sent."""
    schema = (await client.preset(preset))["inputs_schema"]["properties"]
    sent = {name: [await client.send(path) for path in paths] for name, paths in files.items()}
    names = list(dict.fromkeys([*inputs, *sent]))
    return {
        name: typed_value(name, schema.get(name, {}), [*inputs.get(name, ()), *sent.get(name, ())]) for name in names
    }


def typed_value(name: str, schema: Mapping[str, Any], texts: Sequence[str]) -> object:
    """A value of the type that the schema names where the text can be one; whether it is allowed the gateway says."""
    if schema.get("type") == "array":
        return list(texts)
    if len(texts) > 1:
        raise WindmillError("USAGE", f"{name} is given {len(texts)} times, and takes one value")
    if schema.get("type") in ("integer", "number", "boolean"):
        try:
            return orjson.loads(texts[0])
        except orjson.JSONDecodeError:
            return texts[0]
    return texts[0]


async def list_artifacts(client: "AsyncClient", public_id: uuid.UUID) -> list[Shown]:
    return [_file(dict(one)) for one in await client.artifacts(str(public_id))]


async def fetch_artifacts(client: "AsyncClient", public_id: uuid.UUID, step: str | None, folder: Path) -> list[Path]:
    files = select_files(await list_artifacts(client, public_id), step)
    targets = [folder / name for name in target_names(files)]
    for file, target in zip(files, targets, strict=True):
        target.parent.mkdir(parents=True, exist_ok=True)
        await client.download(file["sha256"], target)
    return targets


def _file(artifact: Shown) -> Shown:
    names = ("step", "shard", "name", "media_type", "bytes")
    told = {name: artifact[name] for name in names}
    return _same({**told, "sha256": artifact["id"], "created_at": artifact["created_at"]})


def _same(document: Shown) -> Shown:
    """Times as the database's driver writes them."""
    return {name: _time(one) if _is_time(name, one) else one for name, one in document.items()}


def _is_time(name: str, value: object) -> bool:
    return isinstance(value, str) and (name in ("at", "deadline", "paused_until") or name.endswith("_at"))


def _time(text: str) -> str:
    return text[:-1] + "+00:00" if text.endswith("Z") else text
