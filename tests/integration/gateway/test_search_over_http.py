"""Search and exports over HTTP and by the command line: one server, and numbers that SQL confirms."""

import random
import uuid
from typing import Any

import httpx
import orjson
import pytest

from tests.integration.gateway_scene import GatewayScene, problem
from tests.integration.test_exports import Task
from tests.integration.test_search import IMAGES, fill, made_row
from tests.job_scene import JobScene
from windmill.jobs.outcomes import TaskSucceeded
from windmill.jobs.step import TaskResult
from windmill.pipelines.export.step import ExportStep
from windmill.pipelines.job_steps.catalog import STEPS
from windmill.storage import database

pytestmark = pytest.mark.database
UNLIKELY = """
INSERT INTO merged_boxes (image_id, box_key, source_result_ids, merged_data)
SELECT n, 'a', '{}', '{"label": "dog", "confidence": 0.4, "merged_bbox": {"x": 1, "y": 1, "width": 9, "height": 9}}'
FROM generate_series(8, 12) AS n
"""


async def with_label(scene: GatewayScene, label: str) -> list[int]:
    statement = """SELECT image_id FROM image_search JOIN search_terms ON term_id = ANY (labels)
                   WHERE kind = 'label' AND term = $1 ORDER BY image_id DESC"""
    return [row["image_id"] for row in await scene.fleet.rows.fetch(statement, label)]


async def pages(ann: httpx.AsyncClient, query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor = None
    while True:
        params: dict[str, str | int] = {"query": query, "limit": 40, **({"cursor": cursor} if cursor else {})}
        answer = (await ann.get("/search", params=params)).json()
        found += answer["hits"]
        if (cursor := answer["next_cursor"]) is None:
            return found


async def hits_are_told_with_their_reasons(scene: GatewayScene, ann: httpx.AsyncClient) -> None:
    dogs = await with_label(scene, "dog")
    answer = (await ann.get("/search", params={"query": "label:dog", "limit": 5})).json()
    assert [one["image_id"] for one in answer["hits"]] == dogs[:5]
    assert (answer["total"], answer["complete"]) == ({"images": len(dogs), "relation": "exact"}, True)
    assert answer["query"] == "label:dog"
    for hit in answer["hits"]:
        (label,) = [one for one in hit["labels"] if one["label"] == "dog"]
        assert hit["why"] == [{"field": "label", "value": "dog", "probability": label["probability"]}]
    assert [one["image_id"] for one in await pages(ann, "label:dog")] == dogs
    refused = problem(await ann.get("/search", params={"query": "label:dog foo:x"}), 400, "USAGE")
    assert "there is no field 'foo'" in refused["message"]
    assert "(character 11: 'foo:x')" in refused["message"]
    problem(await ann.get("/search", params={"query": "x", "cursor": answer["next_cursor"]}), 400, "USAGE")


async def facets_are_what_sql_counts(scene: GatewayScene, ann: httpx.AsyncClient) -> None:
    for query in ("", "label:cat"):
        answer = (await ann.get("/search/facets", params={"query": query})).json()
        assert (answer["of"], answer["sampled"]) == (len(await with_label(scene, "cat")) if query else IMAGES, False)
        for facet in answer["facets"]:
            assert facet["values"], facet["field"]
            for value in facet["values"]:
                narrowed = f"{query} {value['query']}"
                found = (await ann.get("/search", params={"query": narrowed, "limit": 500})).json()
                assert found["count"] == value["images"], (narrowed, found["query"])


async def similar_images_are_those_of_near_hashes(scene: GatewayScene, ann: httpx.AsyncClient) -> None:
    one = await scene.fleet.rows.fetchval("SELECT max(image_id) FROM image_search WHERE phash = 4660")
    wanted = await scene.fleet.rows.fetch(
        "SELECT image_id, bit_count((phash # 4660)::bit(64)) AS distance FROM image_search WHERE image_id <> $1"
        " AND bit_count((phash # 4660)::bit(64)) <= 3 ORDER BY 2, 1 DESC", one,
    )  # fmt: skip
    answer = (await ann.get(f"/search/similar/{one}", params={"limit": 500})).json()
    assert [(hit["image_id"], hit["distance"]) for hit in answer["hits"]] == [tuple(row) for row in wanted]
    assert {row["distance"] for row in wanted} == {0, 1}
    nothing = await scene.fleet.rows.fetchval("SELECT max(image_id) FROM image_search WHERE phash IS NULL")
    assert (await ann.get(f"/search/similar/{nothing}", params={"by": "hash"})).json() == {
        "hits": [], "count": 0, "hashed": False, "by": "hash", "ways": ["labels"], "complete": True,
    }  # fmt: skip
    problem(await ann.get("/search/similar/4711"), 404, "NOT_FOUND")
    await images_are_compared_by_what_a_service_tells(scene, ann, one)


async def images_are_compared_by_what_a_service_tells(scene: GatewayScene, ann: httpx.AsyncClient, one: int) -> None:
    statement = "INSERT INTO image_vectors (image_id, service, place, digest, numbers) VALUES ($1, 'clip', 0, 0, $2)"
    for image_id, numbers in ((one, [1.0, 0.0]), (one - 1, [0.0, 1.0]), (one - 2, [0.6, 0.8])):
        await scene.fleet.rows.execute(statement, image_id, numbers)
    answer = (await ann.get(f"/search/similar/{one}")).json()
    assert (answer["by"], answer["ways"], answer["complete"]) == ("clip", ["clip", "hash", "labels"], True)
    assert [(hit["image_id"], round(hit["distance"], 3)) for hit in answer["hits"]] == [(one - 2, 0.4), (one - 1, 1.0)]
    assert (await ann.get(f"/search/similar/{one}", params={"by": "hash"})).json()["by"] == "hash"
    refused = problem(await ann.get(f"/search/similar/{one}", params={"by": "face"}), 400, "USAGE")
    assert refused["remediation"] == ["it can be compared by clip, hash, labels"]
    shown = (await ann.get("/ui/images", params={"similar": one})).text
    assert "clip differs by 0.40" in shown
    assert f"/ui/images?similar={one}&amp;by=hash" in shown


async def searches_are_kept_each_by_its_owner(scene: GatewayScene, ann: httpx.AsyncClient) -> None:
    bob = await scene.user("operator", "bob")
    made = await ann.post("/searches", json={"name": "dogs", "query": "label:dog"})
    assert made.status_code == 201, made.text
    again = await ann.post("/searches", json={"name": "dogs", "query": "label:dog faces:0"})
    assert (again.status_code, again.json()["search"]["id"]) == (200, made.json()["search"]["id"])
    problem(await ann.post("/searches", json={"name": "bad", "query": "("}), 400, "USAGE")
    assert (await bob.get("/searches")).json() == {"searches": [], "count": 0}
    (kept,) = (await ann.get("/searches")).json()["searches"]
    assert (kept["name"], kept["query"]) == ("dogs", "label:dog faces:0")
    problem(await bob.delete(f"/searches/{kept['id']}"), 404, "NOT_FOUND")
    assert (await ann.delete(f"/searches/{kept['id']}")).status_code == 204
    assert (await ann.get("/searches")).json()["count"] == 0
    actions = "SELECT action FROM audit_log WHERE action LIKE 'searches.%' ORDER BY audit_id"
    told = [row["action"] for row in await scene.fleet.rows.fetch(actions)]
    assert told == ["searches.create", "searches.change", "searches.delete"]


async def an_export_tells_what_it_leaves_out(scene: GatewayScene, ann: httpx.AsyncClient) -> None:
    """As warnings of its job. Where nobody has set IMAGE_ROOT, names are unique and tell no path of the server."""
    await scene.fleet.rows.execute(UNLIKELY)
    access = scene.jobs.access
    hand, step = (
        JobScene(access.pool, access.settings, scene.jobs.rows, STEPS),
        ExportStep(lambda: scene.fleet.settings),
    )
    nothing = "no image was found, so there is no file"
    for query, said in (("id:..9", "2 boxes below 0.5 are left out"), ("label:unicorn", nothing)):
        made = await ann.post("/exports", json={"query": query, "format": "coco"})
        claimed = await hand.claimed("export")
        result = await step.run(Task(claimed.input, {}, scene.fleet.folder))
        assert isinstance(result, TaskResult)
        assert await hand.end(claimed, TaskSucceeded(result.output, warnings=result.warnings))
        job = (await ann.get(f"/jobs/{made.json()['job']['public_id']}")).json()["job"]
        assert (job["status"], job["warnings"]) == ("succeeded", [said])
        if result.artifacts:
            images = orjson.loads(result.artifacts[0].path.read_bytes())["images"]
            assert [one["file_name"] for one in images] == [f"{one}/{one}.jpg" for one in range(1, 10)]


async def an_export_is_a_job(scene: GatewayScene, ann: httpx.AsyncClient) -> None:
    body = {"query": "label:dog", "format": "jsonl", "shard_images": 100}
    made = await ann.post("/exports", json=body, headers={"Idempotency-Key": "one", "Prefer": "wait=0"})
    assert (made.status_code, made.headers["Preference-Applied"]) == (201, "wait=0"), made.text
    job = made.json()["job"]
    again = await ann.post("/exports", json=body, headers={"Idempotency-Key": "one"})
    assert again.json()["job"]["public_id"] == job["public_id"]
    row = await scene.fleet.rows.fetchrow(
        "SELECT preset, inputs ->> 'last_image_id' AS last, (SELECT count(*) FROM tasks AS t WHERE t.job_id = j.job_id)"
        " AS tasks FROM jobs AS j WHERE public_id = $1", uuid.UUID(job["public_id"]),
    )  # fmt: skip
    assert row is not None
    assert tuple(row) == ("export_v1", str(IMAGES), IMAGES // 100)
    problem(await ann.post("/exports", json={"query": "foo:x", "format": "csv"}), 400, "USAGE")
    problem(await ann.post("/exports", json={"format": "xml"}), 422, "CONTRACT_MISMATCH")


async def the_command_says_the_same_here_and_over_http(scene: GatewayScene) -> None:
    key = await scene.key("viewer")
    options = ["search", "label:dog faces:0", "--limit", "5", "--json"]
    here = await scene.fleet.run("windmill", *options)
    there = await scene.fleet.run("windmill", "--url", scene.url, "--key", key, *options)
    assert (here.code, there.code) == (0, 0), here.err + there.err
    found = [[(one["image_id"], one["why"]) for one in end.json()["hits"]] for end in (here, there)]
    assert found[0] == found[1] != []
    text = await scene.fleet.run("windmill", "search", "label:dog faces:0", "--explain")
    assert "label:dog 0." in text.out
    assert "query: label:dog faces:0" in text.out
    wrong = await scene.fleet.run("windmill", "search", "(dog")
    assert (wrong.code, "a parenthesis is not closed" in wrong.err) == (2, True), wrong.err


async def test_search_and_exports_over_http(scene: GatewayScene) -> None:
    fleet, dice = scene.fleet, random.Random(7)
    async with database.pool(fleet.settings, "test", max_size=1) as pool:
        await fill(fleet, pool, {one: made_row(dice) for one in range(1, IMAGES + 1)})
    await scene.start()
    ann = await scene.user("operator", "ann")
    await hits_are_told_with_their_reasons(scene, ann)
    await facets_are_what_sql_counts(scene, ann)
    await similar_images_are_those_of_near_hashes(scene, ann)
    await searches_are_kept_each_by_its_owner(scene, ann)
    await an_export_tells_what_it_leaves_out(scene, ann)
    await an_export_is_a_job(scene, ann)
    await the_command_says_the_same_here_and_over_http(scene)
