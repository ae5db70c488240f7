"""Marking images, so that post-processors compute their derived rows again."""

import asyncio
from dataclasses import asdict, dataclass

from windmill.core.errors import WindmillError
from windmill.core.setting_parts import DatabaseSettings, DerivationSettings
from windmill.core.settings import Settings
from windmill.core.stages import STAGES, Stage
from windmill.derive.sweep import SweepFilter, sweep
from windmill.operate.progress import OnProgress, ProgressUpdate, ignore_progress
from windmill.storage import database
from windmill.storage.queries import queries
from windmill.submit.selection import RegisteredImages


@dataclass(frozen=True)
class RecomputeRequest:
    """Which rows of a stage to compute again; without a version or a calibration, all rows of the selected images."""

    stage: Stage
    image_group: str | None = None
    image_ids: frozenset[int] | None = None
    older_than_version: int | None = None
    other_calibration: bool = False
    dry_run: bool = False


@dataclass(frozen=True)
class RecomputeOutcome:
    """How many images were checked and how many of them are marked, or would be."""

    stage: Stage
    images: int
    marked: int
    dry_run: bool
    interrupted: bool


async def recompute(
    settings: Settings, request: RecomputeRequest, stop: asyncio.Event, on_progress: OnProgress = ignore_progress
) -> RecomputeOutcome:
    """Mark the requested images, page by page, until all are marked or `stop` is set."""
    stage, wanted = request.stage, _wanted(settings, request)
    async with database.connection(settings, "windmill recompute") as connection:
        await _must_have_run(connection, stage)
        if request.image_group:
            await RegisteredImages(connection, settings).require_group(request.image_group)
        images, marked = await mark_images(
            connection, settings, stage, wanted, stop, dry_run=request.dry_run, on_progress=on_progress
        )
    return RecomputeOutcome(stage, images, marked, request.dry_run, interrupted=stop.is_set())


async def mark_stale(
    connection: database.Connection,
    settings: DatabaseSettings,
    image_group: str | None,
    stop: asyncio.Event,
    *,
    dry_run: bool,
    on_progress: OnProgress = ignore_progress,
) -> dict[Stage, int]:
    """Mark all stale images that have no mark yet, in every stage that has ever run; how many by stage."""
    marked: dict[Stage, int] = {}
    for stage in await _stages_that_ran(connection):
        _, marked[stage] = await mark_images(
            connection, settings, stage, SweepFilter(image_group), stop, dry_run=dry_run, on_progress=on_progress
        )
    return marked


async def mark_images(
    connection: database.Connection,
    settings: DatabaseSettings,
    stage: Stage,
    wanted: SweepFilter,
    stop: asyncio.Event,
    *,
    dry_run: bool,
    on_progress: OnProgress,
) -> tuple[int, int]:
    """How many images were checked, and how many are marked."""
    images = marked = 0
    on_progress(ProgressUpdate(stage, "images", images))
    async for page in sweep(connection, settings, stage, wanted, stop, dry=dry_run):
        images, marked = images + page.looked_at, marked + page.marked
        on_progress(ProgressUpdate(stage, "images", images))
    return images, marked


def _wanted(settings: DerivationSettings, request: RecomputeRequest) -> SweepFilter:
    if request.other_calibration and not STAGES[request.stage].calibrated:
        said = f"no calibration enters into the stage {request.stage}"
        raise WindmillError("USAGE", said, "leave --other-calibration away")
    other = _calibration_version(settings) if request.other_calibration else None
    ids = tuple(sorted(request.image_ids)) if request.image_ids is not None else None
    everything = other is None and request.older_than_version is None
    return SweepFilter(request.image_group, ids, everything, request.older_than_version, other)


def _calibration_version(settings: DerivationSettings) -> str:
    # Imported here, because numpy would slow down the start of all other commands.
    from windmill.derive.calibration import load_calibration

    return load_calibration(settings.calibration).version


async def _must_have_run(connection: database.Connection, stage: Stage) -> None:
    """Marks of a stage that no post-processor runs would stay for ever."""
    if stage not in await _stages_that_ran(connection):
        raise WindmillError(
            "NOT_FOUND",
            f"no post-processor of the stage {stage} has ever run",
            "start one: python -m postprocessors.all",
        )


async def _stages_that_ran(connection: database.Connection) -> list[Stage]:
    return [row["stage"] for row in await connection.fetch(queries()["list_stages"], list(STAGES))]


def render_recompute_text(outcome: RecomputeOutcome) -> str:
    verb = "would look" if outcome.dry_run else "looks"
    text = f"{outcome.stage}: {verb} again at {outcome.marked:,} of {outcome.images:,} images\n"
    return text + ("interrupted\n" if outcome.interrupted else "")


def render_recompute_json(outcome: RecomputeOutcome) -> dict[str, object]:
    return asdict(outcome)
