"""However many write and recompute at once, and whoever is killed meanwhile: in the end every derived row is what the
kernel makes of the rows that are there.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from postprocessors.bbox_merger import MergeOutcome, MergeStage
from postprocessors.consensus import ConsensusOutcome, ConsensusStage
from tests.integration import stress
from tests.integration.fleet import Fleet
from tests.integration.older_schema import TOO_MANY, Seen, look, turn_back
from windmill.core.jsonb import render_jsonb
from windmill.core.services import load_fleet
from windmill.core.settings import Settings
from windmill.core.stages import Stage
from windmill.derive.calibration import load_calibration
from windmill.derive.conversion import Conversion
from windmill.derive.recompute import RecomputeRunner
from windmill.derive.stage_feeds import register_stage_feeds
from windmill.storage import database
from windmill.storage.database import Pool
from windmill.storage.migrations import migrate

pytestmark = [pytest.mark.database, pytest.mark.timeout(240)]

IMAGES = 1_000
FEW = 300
FEW_MORE = 60
STAGES: tuple[Stage, ...] = ("merge", "consensus")
ANSWERS = """
INSERT INTO postprocessing (image_id, merged_box_id, box_key, service, data, status, version)
SELECT image_id, merged_id, box_key, 'colors', '{"predictions":[]}', 'success', 1 FROM merged_boxes
"""
NUMBERS_GO_ON = """
SELECT setval('result_ids', max(result_id)) FROM results;
SELECT setval(pg_get_serial_sequence('merged_boxes', 'merged_id'), max(merged_id)) FROM merged_boxes;
SELECT setval(pg_get_serial_sequence('postprocessing', 'post_id'), max(post_id)) FROM postprocessing;
"""


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


@pytest.fixture
async def turned_back(fleet: Fleet, stages: None, tmp_path: Path) -> Seen:
    """What is seen of boxes, answers about them and votes that stages have made of twice FEW_MORE images: they stand as
    before migration 34, which was applied a moment ago."""
    rows, settings = fleet.rows, fleet.settings
    async with database.pool(settings, "test") as pool:
        await stress.write_all(settings, 2 * FEW_MORE, seed=2, held_seconds=0.0)
        await _until_all_is_done(pool, settings)
        await rows.execute(ANSWERS)
        await _until_all_is_done(pool, settings)
    tables = ("results", "merges", "merged_boxes", "postprocessing", "consensus")
    await turn_back(rows, tmp_path, tables, before=34)
    await rows.execute(NUMBERS_GO_ON + TOO_MANY)
    seen = await look(rows)
    async with database.connection(settings, "test") as connection:
        await migrate(connection)
    async with database.pool(settings, "test") as pool:
        for stage in STAGES:
            await register_stage_feeds(pool, settings, load_fleet(settings.service_config), stage)
    await rows.execute("UPDATE stages SET swept_image_id = NULL")
    return seen


async def _until_all_is_done(pool: Pool, settings: Settings) -> None:
    some = both(pool, settings)
    while await some():
        pass


def _of_others(seen: Seen) -> Seen:
    return {view: [row for row in rows if row["image_id"] > FEW_MORE] for view, rows in seen.items()}


async def _convert(settings: Settings) -> bool:
    """Slowly, over connections that are killed as well."""
    async with database.pool(settings, stress.NAME, max_size=1) as pool:
        conversion = Conversion(pool, settings, lambda _: None, first_pages=1, most_per_second=20.0)
        return await conversion.run(asyncio.Event())


@pytest.mark.slow(reason="20 s: a conversion among recomputers whose connections are killed")
async def test_nothing_is_lost_or_double_when_rows_of_an_older_form_are_converted_meanwhile(
    fleet: Fleet, turned_back: Seen
) -> None:
    rows, settings = fleet.rows, Settings.from_env({**fleet.environ, "POSTPROCESS_IMAGES": "10"})
    happened, all_converted = await asyncio.gather(
        stress.stressed(rows, settings, both, FEW_MORE, kills=True), _convert(settings)
    )
    assert all_converted
    assert happened.killed > 10
    assert await stress.wrong_images(merging(settings), rows, FEW_MORE, boxes_are_right) == []
    assert await stress.wrong_images(voting(settings), rows, FEW_MORE, vote_is_right) == []
    assert await rows.fetchval("SELECT count(*) FROM stale") == 0
    now = await look(rows)
    others = [
        {v: [row for row in r if row["image_id"] > FEW_MORE] for v, r in one.items()} for one in (turned_back, now)
    ]
    assert others[0] == others[1], "of these images nothing has changed"
    boxes = {(row["image_id"], row["box_key"]): row["merged_id"] for row in now["merged_boxes"]}
    assert len(boxes) == len(now["merged_boxes"])
    numbers = {(row["image_id"], row["box_key"]): row["merged_id"] for row in turned_back["merged_boxes"]}
    # A box that went and came back meanwhile has a new number, and none has that of another.
    stayed = {one for one, number in numbers.items() if boxes.get(one) == number}
    assert all(boxes[one] > max(numbers.values()) for one in boxes.keys() & numbers.keys() - stayed)
    kept = [row for row in turned_back["postprocessing"] if (row["image_id"], row["box_key"]) in stayed]
    assert now["postprocessing"] == kept, "what services said of a box is there as long as the box"
    assert len(kept) > FEW_MORE


@pytest.mark.slow(reason="16 s, or a few times that: shows that the stress above finds what it is for")
async def test_the_same_test_finds_the_images_that_a_comparison_of_timestamps_leaves_stale(
    fleet: Fleet, stages: None
) -> None:
    settings = fleet.settings
    votes = voting(settings)
    for seed in range(1, 6):  # a run may leave none
        await stress.stressed(
            fleet.rows,
            settings,
            lambda pool, settings: stress.naive(votes, pool, settings, "consensus"),
            FEW,
            kills=False,
            seed=seed,
            held_seconds=0.2,
        )
        if wrong := await stress.wrong_images(votes, fleet.rows, FEW, vote_is_right):
            print(f"comparing timestamps leaves {len(wrong)} of {FEW} images stale")  # noqa: T201 - the count that matters
            return
    pytest.fail("comparing timestamps left no image stale in five runs")
