"""A job of the preset that is usual for a file, for clients that name no preset."""

from dataclasses import dataclass, field, replace
from uuid import UUID

from gateway.caller import Caller
from gateway.context import Gateway
from windmill.jobs.access import JobAccess
from windmill.jobs.submitting import submit_job
from windmill.operate.assets import Asset
from windmill.operate.jobs.preset_requests import PresetAsk, job_of_preset
from windmill.operate.jobs.usual_presets import Purpose, Wish, usual_preset, wished_inputs


@dataclass(frozen=True)
class FileAsk:
    """What is wanted; without a file, of words alone."""

    purpose: Purpose
    asset: Asset | None = None
    wish: Wish = field(default_factory=Wish)
    key: str | None = None
    digest: str | None = None


async def job_of_file(gateway: Gateway, watched: JobAccess, caller: Caller, ask: FileAsk) -> UUID:
    """Submit it; the id of the job."""
    kind = ask.asset.media_type if ask.asset else "text/plain"
    library, by = await gateway.presets.library(), caller.principal or "somebody here"
    preset, name = usual_preset(library, ask.purpose, kind)
    inputs = wished_inputs(preset, ask.wish) | ({name: ask.asset.sha256} if ask.asset else {})
    job = await job_of_preset(gateway.access, library, preset, PresetAsk(inputs), caller.sees, by)
    priority = caller.priority(None)
    new = replace(
        job,
        priority=priority,
        principal=caller.principal,
        idempotency_key=ask.key,
        request_digest=ask.digest if ask.key else None,
    )
    return (await submit_job(watched, new)).change.public_id
