"""What has to hold so that rows can be spread over partitions or machines by image_id."""

import re

import pytest

from tests.integration.fleet import Fleet
from windmill.core.settings import ROOT
from windmill.storage.queries import queries

pytestmark = pytest.mark.database

GROWING = (
    "images",
    "image_groups",
    "results",
    "merges",
    "enrichments",
    "votes",
    "picture_hashes",
    "image_search",
    "image_vectors",
    "stale",
)
BOUNDED = {
    "runs": "one row for each request",
    "workers": "those of the last days",
    "row_counts": "summed up by writers now and then",
    "stages": "five",
    "feeds": "one for each stage and service",
    "schema_migrations": "one for each file",
    "fleet_slots": "one for each slot of a service",
    "canaries": "one for each service",
    "blind_answers": "what a blind service answered, until it is asked again",
    "jobs": "one for each request, however many images there are",
    "steps": "a few for each job",
    "tasks": "those of the jobs",
    "job_events": "what happened to jobs",
    "result_waits": "tasks that wait for answers",
    "awaited_results": "a window of images for each task that waits",
    "artifacts": "what tasks have made",
    "step_queues": "one for each kind of step",
    "turns": "one for each kind of turn that processes take",
    "wanted_states": "one for each service and step",
    "api_keys": "one for each program or person",
    "audit_log": "one for each change that somebody asks for",
    "gateway_secret": "one",
    "job_consents": "what was confirmed for a job",
    "assets": "one for each file that was sent before a job",
    "webhooks": "one for each receiver",
    "webhook_deliveries": "what happened to jobs that somebody wants to be told",
    "bulk_actions": "one for each request",
    "ends": "one for each run or batch that somebody asked for",
    "bulk_items": "the jobs of such requests",
    "search_terms": "one for each label, colour and camera that services know",
    "search_counts": "summed up by writers now and then",
    "saved_searches": "one for each that somebody saves",
    "batches": "one for each request",
    "batch_items": "at most 10,000 for each batch",
    "talk_groups": "one for each group of people",
    "talk_members": "the people of those groups",
    "sessions": "one for each talk that was recorded",
    "session_chunks": "the pieces of talks whose sound is kept",
    "session_consents": "the people who were told of a recording",
    "session_speakers": "a few for each talk",
    "session_claims": "one at most for each speaker",
    "session_transcripts": "one for each talk",
    "session_hits": "the wanted words of talks",
    "session_changes": "what people changed of speakers",
    "derived_conversion": "one for each table that is being converted",
    "muted_failures": "one at most for each code of a service",
}
# Each of these asks of all images at once; why that is bearable stands beside it.
OF_ALL_IMAGES = {
    "stop_writers_for_a_moment": "a lock, taken when a stage changes its services",
    "wait_for_registrations": "a lock",
    "group_exists": "one step in the index of groups",
    "count_taken": "one range of the index of times, which ends where it is not rare any more",
    "newest_vectors": "one page in the order of the primary key",
    "newest_labels": "one page in the order of the primary key",
    "find_with_labels": "so many rows that an index of labels finds",
    "some_groups": "one step in the index of groups for each of at most 20",
    "greatest_image_id": "one step in the primary key",
    "greatest_known_image_id": "one step in the primary key of each partition",
    "validate_results_bound": "reads all rows once, when results is given partitions",
    "forget_results_bound": "reads no row",
    "seconds_until_due": "one entry of an index",
    "lease_stale_images": "asks who is due, whichever image it is: a few entries of an index",
    "find_locations": "one step in the index of where images lie, for each location",
    "note_samples": "one step in the index of where images lie, for each location",
    "find_samples": "one step in the index of samples, for each sample",
    "count_derived": "the demo counts what it made",
    "tables_are_there": "reads no row",
    "derived_tables_are_there": "reads no row",
    "stages_and_backlog": "counts no further than 100,000 marks of each stage",
    "list_backlog": "counts no further than 100,000 marks of each stage",
    "count_marks": "counts no further than it is told",
    "find_image_by_location": "one step in the index of where images lie, for each way to write a path",
    "newest_image_locations": "reads no further than it is told, from the end of the primary key",
    "register_images": "new images have no id yet",
    "find_image_ids": "one step in the index of where images lie, for each location",
    "greatest_indexed_image_id": "one step in the primary key",
    "count_all_facets": "reads counts that are kept of each label",
    "count_answers_by_minute": "reads the pages of the last minutes, by their index",
    "end_run": "one row of runs, which says of how many images",
    "who_answered": "the demo asks it once, of its own few images",
}
PRIMARY_KEYS = """
SELECT c.relname AS name, array_agg(a.attname::text) AS columns
FROM pg_class AS c JOIN pg_index AS i ON i.indrelid = c.oid AND i.indisprimary
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey)
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') GROUP BY c.relname
"""


async def test_every_table_that_grows_with_the_images_has_image_id_in_its_key(fleet: Fleet) -> None:
    keys = {row["name"]: row["columns"] for row in await fleet.rows.fetch(PRIMARY_KEYS)}
    assert {name for name in GROWING if "image_id" not in keys[name]} == set()


async def test_every_table_is_known_to_grow_or_to_be_bounded(fleet: Fleet) -> None:
    found = await fleet.rows.fetch(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
    )
    assert {row["relname"] for row in found} - set(GROWING) - set(BOUNDED) == set()


async def test_every_unique_index_of_a_growing_table_has_image_id_in_it_but_that_of_where_an_image_lies(
    fleet: Fleet,
) -> None:
    found = await fleet.rows.fetch(
        "SELECT indexrelid::regclass::text AS name FROM pg_index WHERE indisunique"
        " AND indrelid = ANY ($1::regclass[]::oid[]) AND pg_get_indexdef(indexrelid) NOT LIKE '%image_id%'",
        list(GROWING),
    )
    assert [row["name"] for row in found] == ["images_location"]


def plain(statement: str) -> str:
    return re.sub(r"--[^\n]*|'[^']*'", "", statement)


def tables_of(statement: str) -> set[str]:
    words = re.findall(r"(?:\b(?:FROM|JOIN|INTO|UPDATE|TABLE|USING)|,)\s+(?:ONLY\s+)?(\w+)", plain(statement))
    return set(words) & set(GROWING)


# It is compared, joined by, or written.
BY_IMAGE = re.compile(
    r"image_id\s*(?:=|<@|[<>]=?|IN\b)|(?:=|@>)\s*(?:\w+\.)?image_id|USING \(image_id|INSERT INTO [^(]*\([^)]*image_id"
)


@pytest.mark.parametrize("name", [name for name, statement in queries().items() if tables_of(statement)])
def test_every_query_on_a_growing_table_goes_by_image_id_or_says_why_not(name: str) -> None:
    assert bool(BY_IMAGE.search(plain(queries()[name]))) != (name in OF_ALL_IMAGES)


def test_no_exception_outlives_its_query() -> None:
    assert set(OF_ALL_IMAGES) - set(queries()) == set()


CITUS = (ROOT / "sql" / "scale" / "citus.sql").read_text()
# As Citus would refuse: a table that is not there or is empty of the column, a key without it, a trigger.
PRETENDED_CITUS = """
CREATE FUNCTION create_reference_table(named regclass) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION create_distributed_table(named regclass, by text, colocate_with text DEFAULT '') RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM pg_trigger WHERE tgrelid = named AND NOT tgisinternal) THEN
        RAISE EXCEPTION '% has triggers', named;
    END IF;
    IF EXISTS (SELECT FROM pg_index AS i WHERE i.indrelid = named AND i.indisunique AND NOT EXISTS (
                   SELECT FROM pg_attribute AS a
                   WHERE a.attrelid = named AND a.attname = by AND a.attnum = ANY (i.indkey))) THEN
        RAISE EXCEPTION '% has a key without %', named, by;
    END IF;
END
$$;
"""


async def test_the_script_for_citus_names_tables_as_they_are_and_leaves_no_key_that_citus_refuses(fleet: Fleet) -> None:
    """A stand-in for Citus itself, which is not at hand here."""
    await fleet.rows.execute(PRETENDED_CITUS)
    await fleet.rows.execute(CITUS)
    spread = re.findall(r"create_distributed_table\('(\w+)', 'image_id'", CITUS)
    assert sorted(spread) == sorted(GROWING)
