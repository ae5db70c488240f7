"""Images as people look at them: what pages show is what the database has, with and without scripts."""

import pytest

from tests.integration.gateway.pages.page_scene import Look
from tests.integration.gateway.pages.seen_pages import Album
from tests.waiting import until

pytestmark = [pytest.mark.database, pytest.mark.broker, pytest.mark.asyncio(loop_scope="session")]
FIRST_VISIT_BYTES = 100_000
SHOWN = "[...document.querySelectorAll('#boxes .box')].filter(b => getComputedStyle(b).display !== 'none').length"


@pytest.mark.parametrize(
    "scheme", ["light", pytest.param("dark", marks=pytest.mark.slow(reason="10 s: every page in another look"))]
)
async def test_pages_of_images_are_fit_for_all_and_ask_nobody_else(album: Album, scheme: str) -> None:
    width = 1400 if scheme == "light" else 390
    seen, wrong = album.seen, []
    paths = (
        "/ui/images?group=park",
        f"/ui/images/{seen.sure}?group=park",
        f"/ui/images/{seen.doubtful}?without=yolov8",
        f"/ui/images/{seen.waiting}",
        "/ui/images?group=none",
        "/ui/images?group=park&sort=doubt",
        "/ui/images?query=label:dog",
        "/ui/images?query=persons:x",
    )
    async with album.pages.look("operator", width=width, scheme=scheme) as look:
        for path in paths:
            wrong += await look.unfit(path)
        assert wrong == []
        look.must_be_clean()


async def test_the_inspector_shows_boxes_votes_and_answers_as_they_are_stored(album: Album) -> None:
    image = album.seen.sure
    async with album.pages.look("viewer", scripts=False) as look:
        await look.go(f"/ui/images/{image}")
        merged = await album.count("SELECT count(*) FROM merged_boxes WHERE image_id = $1", image)
        assert await look.page.locator("#boxes a.box").count() == merged > 0
        assert await look.page.locator(".card-box").count() == merged
        listed = await album.count(
            "SELECT jsonb_array_length(consensus_data -> 'votes' -> 'consensus') FROM consensus WHERE image_id = $1",
            image,
        )
        assert await look.page.locator("[data-region=votes-1] tr:not(.group)").count() == listed > 0
        results = await album.count("SELECT count(*) FROM results WHERE image_id = $1", image)
        assert await look.page.locator("[data-region=answers] > li").count() == results + 1
        told = await look.text("main")
        for said in ("IMAGE_TOO_LARGE", "ollama is awaited", "1 face, .97", "nobody who knows the word"):
            assert said in told
        assert await look.page.locator("text=Ask again").count() == 0
        await look.page.locator("[data-region=answers] summary").first.click()
        assert "predictions" in await look.text("[data-region=answers] details[open] pre")
        look.must_be_clean()


async def test_layers_are_switched_without_scripts_and_a_stand_in_is_named(album: Album) -> None:
    async with album.pages.look("viewer", scripts=False) as look:
        await look.go(f"/ui/images/{album.seen.doubtful}")
        assert "Stand-ins answered" in await look.text("main")
        box = look.page.locator("#boxes .box.l0").first
        assert not await box.is_visible()
        await look.page.check("#show-l0")
        assert await box.is_visible()
        await look.page.uncheck("#show-lm")
        assert not await look.page.locator("#boxes .box.lm").first.is_visible()


async def _shown(look: Look) -> int:
    return int(await look.page.evaluate(SHOWN))


async def test_the_slider_hides_boxes_at_once_and_stays_on_the_way_to_the_next_image(album: Album) -> None:
    async with album.pages.look() as look:
        await look.go(f"/ui/images/{album.seen.doubtful}?group=park")
        await look.page.fill("#from", "0")
        all_merged = await album.count("SELECT count(*) FROM merged_boxes WHERE image_id = $1", album.seen.doubtful)
        assert await _shown(look) == all_merged
        await look.page.fill("#from", "0.9")
        sure = await album.count(
            "SELECT count(*) FROM merged_boxes WHERE image_id = $1 AND (merged_data ->> 'confidence')::float8 >= 0.9",
            album.seen.doubtful,
        )
        assert await _shown(look) == sure < all_merged
        assert await look.page.locator(".card-box:visible").count() == sure
        assert await look.text("#unlikely") == f"{all_merged - sure} more are hidden by the sliders."
        await look.page.check("#show-l0")
        await look.page.keyboard.press("j")
        await look.page.wait_for_url(f"**/ui/images/{album.seen.sure}?group=park")
        assert await look.page.input_value("#from") == "0.9"
        assert await look.page.is_checked("#show-l0")
        await look.page.keyboard.press("k")
        await look.page.wait_for_url(f"**/ui/images/{album.seen.doubtful}?group=park")
        look.must_be_clean()


async def test_boxes_are_hidden_while_h_is_held_and_a_box_that_is_pointed_at_is_told(album: Album) -> None:
    async with album.pages.look() as look:
        await look.go(f"/ui/images/{album.seen.sure}")
        await look.page.fill("#from", "0")
        assert await _shown(look) > 0
        await look.page.locator("h1").click()
        await look.page.keyboard.down("h")
        assert not await look.page.locator("#boxes").is_visible()
        await look.page.keyboard.up("h")
        assert await look.page.locator("#boxes").is_visible()
        last = look.page.locator(".card-box").last
        assert await last.get_attribute("open") is None
        await look.page.locator(f"#boxes a[href='#{await last.get_attribute('id')}']").focus()
        assert await last.get_attribute("open") is not None


async def test_a_preview_without_a_service_is_stored_nowhere(album: Album) -> None:
    before = await album.count("SELECT max(created)::date - '2000-01-01' FROM consensus")
    async with album.pages.look("viewer", scripts=False) as look:
        await look.go(f"/ui/images/{album.seen.sure}")
        await look.page.check("#w-yolov8")
        await look.page.click("text=See it without those ticked")
        assert "Nothing of it is stored" in await look.text("main")
        services = await look.page.locator(".votes thead th.v").all_inner_texts()
        assert "clip" in services
        assert "yolov8" not in services
        assert await look.page.locator("[aria-labelledby=h-change] tbody tr").count() > 0
    assert await album.count("SELECT max(created)::date - '2000-01-01' FROM consensus") == before


async def test_services_are_asked_again_and_their_answers_come_without_loading_the_page(album: Album) -> None:
    image, rows = album.seen.waiting, album.pages.fleet.rows
    async with album.pages.look() as look:
        await look.go(f"/ui/images/{image}")
        await look.page.click("text=Ask again…")
        await look.page.locator("details.pop input[value=clip]").check()
        await look.page.click("text=Ask them")
        assert "Asked " in await look.text(".flash")
        asked = await rows.fetchrow("SELECT services, urgent FROM runs ORDER BY run_id DESC LIMIT 1")
        assert asked
        assert "clip" in asked["services"]
        assert asked["urgent"]
        assert await look.page.locator("#a-clip").inner_text() != ""
        await rows.execute(
            "INSERT INTO results (image_id, service, status, data) VALUES ($1, 'clip', 'success', $2)",
            *(image, '{"predictions": [{"label": "lighthouse"}]}'),
        )
        await until(lambda: look.says("#a-clip", "lighthouse"), 30)
        look.must_be_clean()


async def test_the_list_of_a_group_can_begin_with_those_on_which_services_disagree(album: Album) -> None:
    async with album.pages.look("viewer", scripts=False) as look:
        await look.go("/ui/images?group=park")
        names = await look.page.locator(".tile .name").all_inner_texts()
        assert names == ["park-3.png", "park-2.png", "park-1.png"]
        await look.go("/ui/images?group=park&sort=doubt")
        doubts = await album.pages.fleet.rows.fetch(
            "SELECT image_id, (SELECT sum(4 * p * (1 - p)) FROM (SELECT (item ->> 'probability')::float8 AS p"
            " FROM jsonb_path_query(consensus_data, '$.votes.*[*]') AS item) AS v) AS doubt"
            " FROM consensus WHERE image_id = ANY ($1) ORDER BY doubt DESC",
            [album.seen.sure, album.seen.doubtful],
        )
        first = await look.page.locator(".tile a.to").first.get_attribute("href")
        assert first == f"/ui/images/{doubts[0]['image_id']}?group=park"


async def test_a_query_finds_images_each_with_why_and_leads_on_to_the_next_hit(album: Album) -> None:
    async with album.pages.look("viewer", scripts=False) as look:
        await look.go("/ui/images?group=park")
        await look.page.fill("#query", "label:person")
        await look.page.click("button:has-text('Search')")
        found = await album.count(
            "SELECT count(*) FROM image_search WHERE labels @> ARRAY[(SELECT term_id FROM search_terms"
            " WHERE kind = 'label' AND term = 'person')]"
        )
        assert await look.page.locator(".tile").count() == found == 2
        assert (await look.text(".lede")).startswith("2 images")
        assert "person" in await look.text(".tile .because")
        await look.page.locator(".tile a.to").first.click()
        assert f"/ui/images/{album.seen.doubtful}?query=label%3Aperson" in look.page.url
        await look.page.click("a[rel=next]")
        assert f"/ui/images/{album.seen.sure}?query=label%3Aperson" in look.page.url
        await look.go("/ui/images?query=persons:x")
        assert "is no whole number" in await look.text("#mistake")
        await look.go("/ui/images?query=label:unicorn")
        assert "Nothing found" in await look.text("main")
        look.must_be_clean()


async def test_a_search_is_narrowed_by_its_facets_kept_under_a_name_and_forgotten(album: Album) -> None:
    searches = "SELECT count(*) FROM saved_searches WHERE name = 'my people'"
    async with album.pages.look("operator", scripts=False) as look:
        await look.go("/ui/images?query=label:person")
        await look.page.locator(".facets a", has_text="dog").first.click()
        assert await look.page.input_value("#query") == "label:person label:dog"
        await look.page.click("summary:has-text('Save')")
        await look.page.fill("#save-name", "my people")
        await look.page.click("button:has-text('Keep')")
        assert await album.count(searches) == 1
        await look.page.click(".facets a:has-text('my people')")
        assert await look.page.input_value("#query") == "label:person label:dog"
        await look.page.click("button:has-text('forget my people')")
        assert await album.count(searches) == 0
        look.must_be_clean()


async def test_what_is_found_is_exported_by_a_job(album: Album) -> None:
    async with album.pages.look("operator", scripts=False) as look:
        await look.go("/ui/images?query=label:person")
        await look.page.click("summary:has-text('Export these')")
        await look.page.click("button:has-text('COCO')")
        job = await album.pages.fleet.rows.fetchrow(
            "SELECT preset, inputs ->> 'query' AS query, inputs ->> 'format' AS form FROM jobs"
            " WHERE public_id = $1::uuid",
            look.page.url.rpartition("/")[2],
        )
        assert job
        assert tuple(job) == ("export_v1", "label:person", "coco")


async def test_boxes_are_filtered_by_how_many_services_saw_them_and_lead_to_other_images(album: Album) -> None:
    seen_by = "jsonb_array_length(merged_data -> 'contributing_services')"
    async with album.pages.look("viewer") as look:
        await look.go(f"/ui/images/{album.seen.sure}")
        await look.page.fill("#from", "0")
        all_boxes = await _shown(look)
        await look.page.fill("#least", "3")
        many = await album.count(
            f"SELECT count(*) FROM merged_boxes WHERE image_id = $1 AND {seen_by} >= 3", album.seen.sure
        )
        assert await _shown(look) == many < all_boxes
        await look.page.check("#names-within")
        moved = "getComputedStyle(document.querySelector('#boxes .lm text:not(.in)')).transform"
        assert await look.page.evaluate(moved) != "none"
        await look.page.fill("#least", "1")
        await look.page.locator(".card-box[open] a", has_text="images with").first.click()
        asked = await look.page.input_value("#query")
        label = "'label:\"' || (merged_data ->> 'label') || '\"'"
        named = f"SELECT count(*) FROM merged_boxes WHERE image_id = $1 AND {label} = $2"
        assert await album.count(named, album.seen.sure, asked) > 0, asked
        images = await album.count(
            """SELECT count(*) FROM image_search JOIN search_terms ON term_id = ANY (labels)
               WHERE kind = 'label' AND 'label:"' || term || '"' = $1""", asked,
        )  # fmt: skip
        assert await look.page.locator(".tile").count() == images > 0
        look.must_be_clean()


async def test_an_image_is_seen_as_it_was_before_a_service_had_answered_and_as_it_is_in_turn(album: Album) -> None:
    async with album.pages.look("viewer") as look:
        await look.go(f"/ui/images/{album.seen.sure}?group=park")
        await look.page.locator("#a-yolov8 a", has_text="before it came").click()
        preview = look.page.url
        assert preview.endswith("group=park&without=yolov8")
        assert "A preview" in await look.text("main")
        await look.page.wait_for_load_state()
        await look.page.keyboard.press("b")
        await look.page.wait_for_url(f"**/ui/images/{album.seen.sure}?group=park")
        await look.page.keyboard.press("b")
        await look.page.wait_for_url(preview)
        look.must_be_clean()


async def test_who_is_new_finds_what_is_there_what_failed_and_takes_boxes_along_in_few_clicks(album: Album) -> None:
    """The clicks are those that docs/pages.md tells."""
    rows, clicks = album.pages.fleet.rows, 0

    async with album.pages.look("operator", scripts=False) as look:

        async def click(selector: str) -> None:
            nonlocal clicks
            clicks += 1
            await look.page.locator(selector).first.click()

        await look.go("/ui/")
        await click(".nav a:has-text('Images')")
        assert "dog" in await look.text(".facets")
        assert clicks == 1
        await click(".facets a:has-text('dog')")
        found = await album.count(
            "SELECT count(*) FROM image_search WHERE labels @> ARRAY[(SELECT term_id FROM search_terms"
            " WHERE kind = 'label' AND term = 'dog')]"
        )
        assert (await look.page.locator(".tile").count(), clicks) == (found, 2)
        await click("summary:has-text('Export these')")
        await click("button:has-text('COCO')")
        job = await rows.fetchrow(
            "SELECT inputs ->> 'query', inputs ->> 'format' FROM jobs ORDER BY job_id DESC LIMIT 1"
        )
        assert job
        assert (*job, clicks) == ("label:dog", "coco", 4)
        clicks = 0
        await look.go("/ui/")
        await click("#s-clip td a:has-text('12')")
        await click("#c-SERVICE_TIMEOUT td a")
        assert "slow" in await look.text("tbody tr")
        assert await look.page.locator("tbody tr").count() == 12
        await click("tbody th a")
        assert (clicks, "/ui/images/" in look.page.url) == (3, True)
