"""One round of one tree in the fleet benchmark: idle, images one by one, and many at once."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from bench.fleet_side import Side, SideFailed, Spent, difference
from bench.scripted_services import ScriptedServices
from windmill import broker
from windmill.core.messages import Job, encode
from windmill.storage import database

SETTLE_SECONDS = 4.0
POLL_SECONDS = 0.2
MOST_SECONDS = 600.0

ASKED = """
INSERT INTO runs (services, selection, first_image_id, until_image_id, last_image_id, images, jobs, finished_at)
VALUES ($1::text[], 'all', $2::bigint - 1, $3::bigint, $3::bigint, $4::bigint,
        $4::bigint * cardinality($1::text[]), now())
"""
OPEN = """
SELECT (SELECT count(*) FROM results WHERE image_id BETWEEN $1 AND $2) AS results, (SELECT count(*) FROM stale) AS marks
"""
WATCHED = """
CREATE TABLE IF NOT EXISTS bench_log (source text, image_id bigint, at timestamptz DEFAULT clock_timestamp());
CREATE OR REPLACE FUNCTION bench_note() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN INSERT INTO bench_log (source, image_id) VALUES (TG_ARGV[0], NEW.image_id); RETURN NULL; END $$;
"""
WATCH = "CREATE TRIGGER bench_note AFTER INSERT OR UPDATE ON {0} FOR EACH ROW EXECUTE FUNCTION bench_note('{0}')"
UNWATCH = "DROP TRIGGER bench_note ON {0}"
VOTES_TABLE = """
SELECT relname FROM pg_class
WHERE relname IN ('votes', 'consensus') AND relkind = 'r' AND relnamespace = 'public'::regnamespace
"""
"""Older trees keep votes in the table `consensus`."""
LATENCIES = """
WITH answers AS (
    SELECT r.image_id, min(r.result_created) AS first, max(r.result_created) AS last
    FROM results AS r JOIN feeds AS f ON f.service = r.service AND f.stage = $1
    WHERE r.image_id BETWEEN $3 AND $4 GROUP BY r.image_id
)
SELECT extract(epoch FROM min(l.at) FILTER (WHERE l.at >= a.first) - a.first)::float8 AS first,
       extract(epoch FROM min(l.at) FILTER (WHERE l.at >= a.last) - a.last)::float8 AS last,
       extract(epoch FROM max(l.at) - a.last)::float8 AS settled, count(*) AS written
FROM answers AS a JOIN bench_log AS l ON l.image_id = a.image_id AND l.source = $2
GROUP BY a.image_id, a.first, a.last
"""
VOTES = "SELECT n_tup_ins + n_tup_upd FROM pg_stat_user_tables WHERE relname IN ('consensus', 'votes')"


@dataclass(frozen=True)
class Image:
    """A registered image."""

    image_id: int
    filename: str
    path: str


@dataclass(frozen=True)
class Plan:
    """What a round does. `gap` and `spread` are seconds: between two images, and from the first answer to the last."""

    idle_seconds: float
    gap: float
    spread: float


@dataclass(frozen=True)
class RoundResult:
    """`idle` is CPU per second, `loaded` per image; latencies are seconds of each image; votes are rows per image."""

    idle: Spent
    loaded: Spent
    latencies: dict[str, list[float]]
    votes_one_by_one: float
    votes_at_once: float
    images_per_second: float


@dataclass(frozen=True)
class FleetRound:
    """The connections and services of one tree's rounds."""

    side: Side
    services: ScriptedServices
    rows: database.Connection
    plan: Plan

    async def run(self, warm: Sequence[Image], single: Sequence[Image], many: Sequence[Image]) -> RoundResult:
        """Start the programs, measure, and stop them."""
        try:
            await self.side.start_post_processors()
            await asyncio.sleep(SETTLE_SECONDS)
            idle = await self._idle()
            await self.side.start_worker()
            await self._send(warm, 0.0)
            latencies, votes = await self._one_by_one(single)
            before = await self._votes_after_a_flush()
            loaded, seconds = await self._at_once(many)
        finally:
            await self.side.stop()
        after = await self._votes_after_a_flush()
        return RoundResult(idle, loaded, latencies, votes, (after - before) / len(many), len(many) / seconds)

    async def _idle(self) -> Spent:
        before, began = await self.side.spent(self.rows), time.monotonic()
        await asyncio.sleep(self.plan.idle_seconds)
        spent = difference(await self.side.spent(self.rows), before)
        return {part: one / (time.monotonic() - began) for part, one in spent.items()}

    async def _one_by_one(self, images: Sequence[Image]) -> tuple[dict[str, list[float]], float]:
        self.services.spread(self.plan.spread)
        votes = str(await self.rows.fetchval(VOTES_TABLE))
        derived = {"boxes": ("merge", "merges"), "votes": ("consensus", votes)}
        await self.rows.execute("; ".join([WATCHED, *(WATCH.format(table) for _, table in derived.values())]))
        await self._send(images, self.plan.gap)
        await self.rows.execute("; ".join(UNWATCH.format(table) for _, table in derived.values()))
        self.services.spread(0.0)
        found: dict[str, list[float]] = {}
        written = 0
        for what, (stage, table) in derived.items():
            rows = await self.rows.fetch(LATENCIES, stage, table, images[0].image_id, images[-1].image_id)
            for moment in ("first", "last", "settled"):
                found[f"{moment} answer to {what}"] = [row[moment] for row in rows if row[moment] is not None]
            written = sum(row["written"] for row in rows)
        return found, written / len(images)

    async def _at_once(self, images: Sequence[Image]) -> tuple[Spent, float]:
        before, began = await self.side.spent(self.rows), time.monotonic()
        await self._send(images, 0.0)
        spent = difference(await self.side.spent(self.rows), before)
        return {part: one / len(images) for part, one in spent.items()}, time.monotonic() - began

    async def _send(self, images: Sequence[Image], gap: float) -> None:
        """Submit these images to all services, and wait until nothing is left to do."""
        names = list(self.services.services)
        first, last = images[0].image_id, images[-1].image_id
        await self.rows.execute(ASKED, names, first, last, len(images))
        settings = self.side.settings
        async with broker.connection(settings, "bench") as opened, broker.publisher(opened, settings) as publisher:
            for image in images:
                job = Job(image.image_id, image.filename, image.path, None, datetime.now(UTC))
                await publisher.to_services(encode(job), names)
                await asyncio.sleep(gap)
        deadline = time.monotonic() + MOST_SECONDS
        while time.monotonic() < deadline:
            row = await self.rows.fetchrow(OPEN, first, last)
            if row and row["results"] == len(names) * len(images) and not row["marks"]:
                return
            await asyncio.sleep(POLL_SECONDS)
        raise SideFailed(f"{self.side.name}: not done after {MOST_SECONDS:.0f} s: {row and dict(row)}")

    async def _votes_after_a_flush(self) -> int:
        """Rows of votes written so far. Sessions tell it when they end, or a second after a transaction."""
        await asyncio.sleep(1.5)
        await self.rows.execute("SELECT pg_stat_clear_snapshot()")
        return int(await self.rows.fetchval(VOTES))
