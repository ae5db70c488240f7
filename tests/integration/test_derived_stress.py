"""However many write and recompute at once, and whoever is killed meanwhile: in the end every derived row is what the
kernel makes of the rows that are there.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from postprocessors.bbox_merger import MergeOutcome, MergeStage
from postprocessors.consensus import ConsensusOutcome, ConsensusStage
from tests.integration import stress
from tests.integration.fleet import Fleet
from windmill.core.jsonb import render_jsonb
from windmill.core.services import load_fleet
from windmill.core.settings import Settings
from windmill.derive.calibration import load_calibration
from windmill.derive.recompute import RecomputeRunner
from windmill.derive.stage_feeds import register_stage_feeds
from windmill.storage import database
from windmill.storage.database import Pool

pytestmark = [pytest.mark.database, pytest.mark.timeout(240)]

IMAGES = 1_000
FEW = 300


def merging(settings: Settings) -> MergeStage:
    calibration = load_calibration(settings.calibration)
    return MergeStage(calibration.boxes, calibration.version)


def voting(settings: Settings) -> ConsensusStage:
    calibration = load_calibration(settings.calibration)
    return ConsensusStage(calibration.votes, calibration.version)


def boxes_are_right(outcome: MergeOutcome) -> bool:
    """Keys and numbers aside, which depend on what was there before."""
    there, wanted = (sorted(render_jsonb(box.data) for box in boxes) for boxes in (outcome.source.boxes, outcome.boxes))
    rows = (row and replace(row, box_rows="") for row in (outcome.source.row, outcome.row))
    return there == wanted and len(set(rows)) == 1


def vote_is_right(outcome: ConsensusOutcome) -> bool:
    return outcome.before == outcome.row


@pytest.fixture
async def stages(fleet: Fleet) -> None:
    """Merge and consensus, of which nobody has to look at old images."""
    settings = fleet.settings
    async with database.pool(settings, "test") as pool:
        await register_stage_feeds(pool, settings, load_fleet(settings.service_config), "merge")
        await register_stage_feeds(pool, settings, load_fleet(settings.service_config), "consensus")
    await fleet.rows.execute("UPDATE stages SET swept_image_id = NULL")


def both(pool: Pool, settings: Settings) -> Callable[[], Awaitable[int]]:
    merge = RecomputeRunner(merging(settings), pool, settings)
    consensus = RecomputeRunner(voting(settings), pool, settings)
    never = asyncio.Event()

    async def some() -> int:
        return await merge.run_round(never) + await consensus.run_round(never)

    return some


@pytest.mark.slow(reason="38 s: minutes of a busy fleet in short; fewer writes find no race")
async def test_nothing_is_stale_or_double_when_all_is_done(fleet: Fleet, stages: None) -> None:
    await stress.ask_for_half(fleet.rows, IMAGES)
    settings = Settings.from_env({**fleet.environ, "DEBOUNCE_MOST_SECONDS": "0.5", "POSTPROCESS_IMAGES": "10"})
    happened = await stress.stressed(fleet.rows, settings, both, IMAGES, kills=True)
    wrong_boxes = await stress.wrong_images(merging(settings), fleet.rows, IMAGES, boxes_are_right)
    wrong_votes = await stress.wrong_images(voting(settings), fleet.rows, IMAGES, vote_is_right)
    marks = await fleet.rows.fetchval("SELECT count(*) FROM stale")
    merges = await fleet.rows.fetchval("SELECT count(*) FROM merges")
    votes = await fleet.rows.fetchval("SELECT count(*) FROM consensus")
    print(  # noqa: T201 - the counts that matter
        f"{IMAGES} images, {stress.RECOMPUTERS} recomputers, {happened.killed} connections killed, "
        f"{happened.rounds} rounds: {len(wrong_boxes)} merges and {len(wrong_votes)} votes wrong, {marks} marks left"
    )
    assert (wrong_boxes, wrong_votes, marks) == ([], [], 0)
    assert (merges, votes) == (IMAGES, IMAGES)
    assert happened.killed > 10


@pytest.mark.slow(reason="16 s: shows that the stress above finds what it is for")
async def test_the_same_test_finds_the_images_that_a_comparison_of_timestamps_leaves_stale(
    fleet: Fleet, stages: None
) -> None:
    settings = fleet.settings
    votes = voting(settings)
    await stress.stressed(
        fleet.rows,
        settings,
        lambda pool, settings: stress.naive(votes, pool, settings, "consensus"),
        FEW,
        kills=False,
        held_seconds=0.2,
    )
    wrong = await stress.wrong_images(votes, fleet.rows, FEW, vote_is_right)
    print(f"comparing timestamps leaves {len(wrong)} of {FEW} images stale")  # noqa: T201 - the count that matters
    assert wrong
