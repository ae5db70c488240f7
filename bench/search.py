"""What a page of search results costs among a million images, and what it costs to index one.

    python bench/search.py [--images N] [--indexed N]

Rows are made by the database: eight labels an image out of 1,000, of which few are frequent and most are rare, and
twelve words out of 5,000. Each query is timed several times with all in memory; pages are those of 8 kB of the table
and its indexes. Then images are indexed by the stage itself.
"""

import argparse
import asyncio
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.temporary_fleet import temporary_fleet
from postprocessors import image_index
from windmill.core.services import load_fleet
from windmill.core.settings import Settings
from windmill.derive.stage_feeds import register_stage_feeds
from windmill.kernels.query.parser import parse_query
from windmill.storage import database
from windmill.storage.database import Connection, Pool
from windmill.storage.search.finding import find_page
from windmill.storage.transactions import transaction

TIMES = 7
QUERIES = {
    "everything": "",
    "frequent label": "label:l1",
    "label of 1 in 18": "label:l20",
    "rare label, 1 in 3,000": "label:l900",
    "absent label": "label:unicorn",
    "NOT a frequent label": "-label:l1",
    "NOT three labels": "-label:l1 -label:l2 -label:l3",
    "pair of frequent labels": "label:l1 label:l2",
    "pair of rare labels": "label:l500 label:l700",
    "frequent and rare label": "label:l1 label:l900",
    "two labels or a colour": "label:l900 OR label:l901 OR colour:pink label:l800",
    "frequent word": "text:w1",
    "rare word": "text:w4000",
    "absent word": "text:unicorn",
    "pair of words": 'text:"w1 w2"',
    "word or label": "l900 OR w4000",
    "label, month and faces": "label:l5 taken:2024-05 faces:2",
    "persons and colour": "persons:>=3 colour:red",
}
MADE = """
SELECT setseed(0.5);
ALTER TABLE image_search DISABLE TRIGGER USER;
INSERT INTO search_terms (kind, term) SELECT 'label', 'l' || n FROM generate_series(1, 1000) AS n;
INSERT INTO search_terms (kind, term)
SELECT 'colour', unnest('{black,white,grey,brown,red,orange,yellow,green,blue,purple,pink}'::text[]);
INSERT INTO image_search (image_id, taken, sources, phash, version, width, height, persons, faces, nsfw, labels,
                          label_p, colours, text)
SELECT n, CASE WHEN random() < 0.5 THEN '2020-01-01Z'::timestamptz + random() * interval '6 years' END, n,
       (random() * 9e18)::bigint, 1, 1000, 800, floor(-ln(random()) * 1.2), floor(-ln(random())), random() * 300,
       drawn.labels, array_fill(700::smallint, ARRAY[cardinality(drawn.labels)]),
       ARRAY[1001 + (n + floor(random() * 5)::int) % 11, 1001 + (n * 7 + 3 + floor(random() * 3)::int) % 11],
       drawn.words
FROM generate_series($1::bigint, $2::bigint) AS n, LATERAL (
    SELECT array_agg(DISTINCT floor(exp(random() * ln(1000.9)))::int) AS labels,
           string_agg('w' || floor(exp(random() * ln(5000.9)))::int || CASE WHEN i % 2 = 0 THEN
                      ' w' || floor(exp(random() * ln(5000.9)))::int ELSE '' END, ' ') AS words
    FROM generate_series(1, 8) AS i WHERE n IS NOT NULL
) AS drawn;
ALTER TABLE image_search ENABLE TRIGGER USER;
"""
COUNTED = """
INSERT INTO search_counts (term_id, images)
SELECT term, count(*) FROM image_search AS s, search_terms_of(s) AS term GROUP BY term;
"""
INDEXES = """
SELECT indexdef || ';' AS made FROM pg_indexes
WHERE tablename = 'image_search' AND indexname <> 'image_search_pkey'
"""
DROP = "SELECT 'DROP INDEX ' || indexname || ';' AS drop FROM pg_indexes WHERE tablename = 'image_search'" \
       " AND indexname <> 'image_search_pkey'"  # fmt: skip
BLOCKS = """
SELECT coalesce(heap_blks_hit, 0) + coalesce(heap_blks_read, 0)
       + coalesce(idx_blks_hit, 0) + coalesce(idx_blks_read, 0)
FROM pg_statio_user_tables WHERE relname = 'image_search'
"""


@dataclass(frozen=True)
class Measured:
    """One query."""

    name: str
    query: str
    hits: int
    total: str
    plan: str
    milliseconds: float
    worst: float
    pages: int


async def fill(connection: Connection, images: int) -> None:
    """Indexes are built when all rows are there, as that is faster."""
    made = [row["made"] for row in await connection.fetch(INDEXES)]
    for row in await connection.fetch(DROP):
        await connection.execute(row["drop"])
    statements = MADE.replace("$1::bigint", "1").replace("$2::bigint", str(images))
    await connection.execute(statements, timeout=3_600)
    await connection.execute(COUNTED, timeout=3_600)
    for one in made:
        await connection.execute(one, timeout=3_600)
    await connection.execute("VACUUM (ANALYZE) image_search", timeout=3_600)


async def measure(pool: Pool, settings: Settings, name: str, text: str) -> Measured:
    query, taken = parse_query(text), []
    for _ in range(TIMES + 1):
        begun = time.perf_counter()
        async with transaction(pool, settings) as connection:
            page = await find_page(connection, query, 50)
        taken.append(1000 * (time.perf_counter() - begun))
    blocks = await _blocks(pool)
    async with transaction(pool, settings) as connection:
        await find_page(connection, query, 50)
    pages = await _blocks(pool) - blocks
    total = f"{page.total.images:,} {page.total.relation}" if page.total else ""
    taken = taken[1:]
    return Measured(name, text, len(page.image_ids), total, page.kind, statistics.median(taken), max(taken), pages)


async def _blocks(pool: Pool) -> int:
    async with pool.acquire() as connection:
        await connection.execute("SELECT pg_stat_force_next_flush()")
        return int(await connection.fetchval(BLOCKS))


SIZES = """
SELECT indexrelid::regclass::text AS name, pg_relation_size(indexrelid) AS bytes FROM pg_index
WHERE indrelid = 'image_search'::regclass
UNION ALL SELECT 'rows', pg_relation_size('image_search') ORDER BY bytes DESC
"""
ANSWERS = {
    "blip": {"text": "a dog and two people near a red car", "emoji_mappings": [{"word": "dog", "emoji": "🐶"}]},
    "ocr": {"text": "stop", "has_text": True, "emoji": "💬"},
    "nsfw2": {"nsfw": False, "confidence": 0.98, "emoji": ""},
    "colors": {"primary": {"hex": "#c8202f"}, "palette": {"colors": [{"hex": "#1b1c1e"}, {"hex": "#4fa658"}]}},
    "metadata": {"dimensions": {"width": 640, "height": 480}, "phash": "9d8a745883d71ea5"},
    "clip": {"label": "beach", "confidence": 0.6},
}


async def index(pool: Pool, settings: Settings, first: int, images: int) -> tuple[float, float]:
    """CPU milliseconds an image of this process, and of the backend of the database."""
    rows = [(first + n, name, orjson.dumps({"predictions": [one]}).decode()) for n in range(images)
            for name, one in ANSWERS.items()]  # fmt: skip
    box = '{"label": "person", "confidence": 0.9}'
    async with pool.acquire() as connection:
        await register_stage_feeds(pool, settings, load_fleet(settings.service_config), "index")
        await connection.executemany(
            "INSERT INTO results (image_id, service, status, data) VALUES ($1, $2, 'success', $3)", rows
        )
        await connection.execute(
            "INSERT INTO merged_boxes (image_id, box_key, source_result_ids, merged_data)"
            " SELECT $1::bigint + n, k::text, '{}', $2::jsonb FROM generate_series(0, $3::int - 1) AS n,"
            " generate_series(1, 8) AS k",
            first, box, images,
        )  # fmt: skip
        await connection.execute("UPDATE stages SET swept_image_id = NULL")
    async with database.pool(settings, "bench", max_size=1) as single:
        backend = int(await single.fetchval("SELECT pg_backend_pid()"))
        runner = image_index.make_runner(single, settings, load_fleet(settings.service_config))
        before = time.process_time(), backend_seconds(backend)
        while await runner.run_round(asyncio.Event()):
            pass
        after = time.process_time(), backend_seconds(backend)
        indexed = int(await single.fetchval("SELECT count(*) FROM image_search WHERE image_id >= $1", first))
    assert indexed == images, f"{indexed} of {images} images are indexed"
    ours, theirs = (1000 * (later - earlier) / images for earlier, later in zip(before, after, strict=True))
    return ours, theirs


def backend_seconds(pid: int) -> float:
    """CPU time of a process of the database."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def run(settings: Settings, images: int, indexed: int, tell: Callable[[str], None]) -> None:
    async with database.pool(settings, "bench", max_size=4) as pool:
        async with pool.acquire() as connection:
            begun = time.monotonic()
            await fill(connection, images)
            tell(f"{images:,} rows made in {time.monotonic() - begun:.0f} s; load {os.getloadavg()[0]:.1f}")
            for row in await connection.fetch(SIZES):
                tell(f"  {row['name']:<24} {row['bytes'] / images:7.1f} bytes an image")
        tell("| query | hits of the page | total | plan | ms (median) | ms (worst of 7) | pages |")
        tell("|---|---|---|---|---|---|---|")
        for name, query in QUERIES.items():
            one = await measure(pool, settings, name, query)
            shown = one.query or "(empty)"
            tell(
                f"| {one.name}: `{shown}` | {one.hits} | {one.total} | {one.plan} | {one.milliseconds:.1f} |"
                f" {one.worst:.1f} | {one.pages:,} |"
            )
        ours, theirs = await index(pool, settings, images + 1, indexed)
        tell(f"indexing: {ours:.2f} CPU-ms an image here, {theirs:.2f} in the database; load {os.getloadavg()[0]:.1f}")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=1_000_000, help="rows that are searched (%(default)s)")
    parser.add_argument("--indexed", type=int, default=500, help="images that are indexed (%(default)s)")
    given = parser.parse_args(arguments)
    with temporary_fleet() as environ:
        settings = Settings.from_env({**environ, "DEBOUNCE_MOST_SECONDS": "0"})
        asyncio.run(run(settings, given.images, given.indexed, lambda line: print(line, flush=True)))


if __name__ == "__main__":
    main()
