"""Jobs as people look at them and change them: a control without effect in the database is a defect."""

import pytest

from tests.integration.gateway.pages.seen_jobs import PRESET, TIMELINE, TRACKS
from tests.integration.gateway.pages.seen_pages import Works
from tests.waiting import until

pytestmark = [pytest.mark.database, pytest.mark.broker, pytest.mark.asyncio(loop_scope="session")]


@pytest.mark.parametrize(
    "scheme", ["light", pytest.param("dark", marks=pytest.mark.slow(reason="10 s: every page in another look"))]
)
async def test_pages_of_jobs_are_fit_for_all_and_ask_nobody_else(works: Works, scheme: str) -> None:
    width = 1400 if scheme == "light" else 390
    seen, wrong = works.seen, []
    paths = (
        "/ui/jobs",
        "/ui/jobs?preset=none",
        *(f"/ui/jobs/{one}" for one in (seen.done, seen.failed, seen.paused, seen.running)),
        f"/ui/jobs/{works.video}/watch",
        "/ui/compose",
        f"/ui/compose/{PRESET}",
        "/ui/compose/identity_lock_portrait_v1",
    )
    async with works.pages.look("operator", width=width, scheme=scheme) as look:
        for path in paths:
            wrong += await look.unfit(path)
        assert wrong == []
        look.must_be_clean()


async def test_the_list_counts_what_matches_and_its_filters_stand_in_the_address(works: Works) -> None:
    async with works.pages.look("viewer", scripts=False) as look:
        await look.go("/ui/jobs")
        await look.page.select_option("select[name=status]", "failed")
        await look.page.click("text=Filter")
        await look.page.wait_for_url("**status=failed*")
        failed = await works.count("SELECT count(*) FROM jobs WHERE status = 'failed'")
        assert (await look.text("#count")).startswith(f"{failed} failed job")
        assert await look.page.locator("tbody tr").count() == failed
        assert "VIDEO_UNREADABLE" in await look.text("tbody")
        assert await look.page.locator("input[name=ids]").count() == 0
        await look.go("/ui/jobs?code=VIDEO_UNREADABLE&preset=none")
        assert "No such jobs" in await look.text("main")


async def test_a_job_tells_when_what_ran_what_failed_and_what_it_has_made(works: Works) -> None:
    async with works.pages.look("viewer", scripts=False) as look:
        await look.go(f"/ui/jobs/{works.seen.done}")
        tries = await works.count(
            "SELECT count(*) FROM tasks JOIN jobs USING (job_id) WHERE public_id = $1::uuid AND tasks.attempt > 1",
            works.seen.done,
        )
        assert await look.page.locator(".lane rect.failed").count() == tries == 1
        assert "done at try 2" in await look.text(".lanes")
        assert await look.page.locator(".file img").count() == 1
        assert await look.page.evaluate("document.querySelector('.file img').naturalWidth") == 960
        assert "SERVICE_ERROR: 500; it waits again" in await look.text(".log")
        assert "It waits." not in await look.text("main"), "it is done"
        await look.go(f"/ui/jobs/{works.seen.failed}")
        told = await look.text("main")
        assert "…/clip.mp4 is no video" in told
        assert "/srv/secret" not in await look.page.content()
        await look.page.select_option("select[name=level]", "error")
        await look.page.locator("form.filters .btn").click()
        assert {one.split("\n")[0][:6] for one in await look.page.locator(".log .msg").all_inner_texts()} == {"failed"}
        look.must_be_clean()


async def test_a_job_is_paused_with_a_reason_given_a_priority_resumed_and_cancelled(works: Works) -> None:
    number = await works.pages.scene.jobs.submit(principal="ann")
    job_id = str(await works.pages.fleet.rows.fetchval("SELECT public_id FROM jobs WHERE job_id = $1", number))
    async with works.pages.look("operator", scripts=False) as look:
        await look.go(f"/ui/jobs/{job_id}")
        await look.page.click("summary:has-text('Pause')")
        await look.page.fill("#reason", "wait for the film")
        await look.page.click("button:has-text('Pause')")
        job = await works.job(job_id)
        assert (job["status"], job["paused_by"], job["pause_reason"]) == ("paused", "ann", "wait for the film")
        assert "wait for the film" in await look.text("main")
        await look.page.click("button:has-text('Resume')")
        assert (await works.job(job_id))["status"] == "queued"
        await look.page.click("summary:has-text('Priority')")
        await look.page.fill("#priority", "3")
        await look.page.click("button:has-text('Change')")
        assert (await works.job(job_id))["priority"] == 3
        await look.page.click("summary:has-text('Cancel')")
        await look.page.click("button:has-text('Cancel this job')")
        assert (await works.job(job_id))["status"] == "cancelled"
        assert await works.audited("jobs.cancel") >= 1
        await look.page.click("summary:has-text('Retry')")
        await look.page.click("button:has-text('Retry')")
        assert (await works.job(job_id))["status"] in ("queued", "running")
        look.must_be_clean()


async def test_a_fork_is_another_job_that_names_its_original(works: Works) -> None:
    async with works.pages.look("operator") as look:
        await look.go(f"/ui/jobs/{works.seen.done}")
        await look.page.click("summary:has-text('Fork')")
        await look.page.select_option("#fork-step", "join")
        await look.page.click("button:has-text('Fork')")
        await look.page.wait_for_selector(".flash")
        fork = look.page.url.rpartition("/")[2]
        original = await works.job(works.seen.done)
        assert (await works.job(fork))["forked_from"] == original["job_id"]
        await look.page.click(f"a[href='/ui/jobs/{works.seen.done}']")
        assert fork in str(await look.page.locator("a", has_text=PRESET).first.get_attribute("href"))


async def test_what_a_job_does_is_seen_without_loading_its_page(works: Works) -> None:
    jobs = works.pages.scene.jobs
    public_id = await works.pages.fleet.rows.fetchval(
        "SELECT public_id FROM jobs WHERE job_id = $1", await jobs.submit(cut=1, principal="ann", priority=9)
    )
    async with works.pages.look("viewer") as look:
        await look.go(f"/ui/jobs/{public_id}")
        await look.page.evaluate("window.same = true")
        await jobs.succeed(await jobs.claimed("cut"))
        await until(lambda: look.says("#l-s0", "done"), 30)
        assert await look.page.evaluate("window.same")
        look.must_be_clean()


async def test_new_jobs_are_told_and_not_pushed_in(works: Works) -> None:
    async with works.pages.look("viewer") as look:
        await look.go("/ui/jobs")
        first = await look.page.locator("tbody tr").first.get_attribute("id")
        await works.pages.scene.jobs.submit(principal="ann")
        await until(lambda: look.says("#newer", "1\u00a0new job"), 30)
        assert await look.page.locator("tbody tr").first.get_attribute("id") == first


async def test_many_jobs_are_counted_first_then_changed_and_changed_back(works: Works) -> None:
    for _ in range(3):
        await works.pages.scene.jobs.submit(principal="ann", preset="storyboard_builder_v1", preset_version=1)
    async with works.pages.look("operator") as look:
        await look.go("/ui/jobs?status=queued&preset=storyboard_builder_v1")
        await look.page.check("input[name=scope][value=matching]")
        await look.page.select_option("#act", "cancel")
        await look.page.click("text=Apply…")
        assert await look.text("h1") == "Cancel 3 jobs?"
        matching = "SELECT count(*) FROM jobs WHERE preset = 'storyboard_builder_v1' AND status = $1"
        assert await works.count(matching, "queued") == 3
        await look.page.click("button:has-text('Cancel 3 jobs')")
        await until(lambda: look.says("#state", "3 of 3"), 30)
        assert await works.count(matching, "cancelled") == 3
        await until(lambda: look.page.locator("button:has-text('Undo')").count(), 30)
        await look.page.click("button:has-text('Undo')")
        await until(lambda: look.says("#state", "undone"), 30)
        assert await works.count(matching, "cancelled") == 0
        look.must_be_clean()


async def test_a_form_tells_a_mistake_at_its_field_checks_and_makes_the_job(works: Works) -> None:
    before = await works.count("SELECT count(*) FROM jobs")
    async with works.pages.look("operator", scripts=False) as look:
        await look.go(f"/ui/compose/{PRESET}")
        await look.page.click("text=Check only")
        assert "field need" in (await look.text("[role=alert]")).lower()
        assert await look.page.get_attribute("#in-prompt", "aria-invalid") == "true"
        await look.page.fill("#in-prompt", "a lighthouse at dusk")
        await look.page.fill("#in-seed", "7")
        await look.page.click("text=Check only")
        assert "It can be made like this" in await look.text("main")
        assert "a lighthouse at dusk" in await look.text("#curl")
        assert await works.count("SELECT count(*) FROM jobs") == before
        await look.page.fill("#priority", "2")
        await look.page.click("text=Start job")
        job = await works.job(look.page.url.rpartition("/")[2])
        assert (job["preset"], job["priority"], job["principal"]) == (PRESET, 2, "ann")
        assert '"a lighthouse at dusk"' in job["inputs"]
        assert '"seed": 7' in job["inputs"]
        assert await works.audited("jobs.create") >= 1
        look.complaints = [one for one in look.complaints if "422" not in one]
        look.must_be_clean()


async def test_who_may_only_look_finds_no_form_and_gets_nowhere_with_one(works: Works) -> None:
    async with works.pages.look("viewer", scripts=False) as look:
        await look.go(f"/ui/jobs/{works.seen.paused}")
        assert await look.page.locator("main form[method=post]").count() == 0
        await look.go(f"/ui/compose/{PRESET}")
        assert "PERMISSION_DENIED" in await look.text("main")
        assert (await works.job(works.seen.paused))["status"] == "paused"


async def test_a_frame_among_the_images_leads_to_its_second_in_the_video(works: Works) -> None:
    name = "frame_000050_2.00s-0123456789ab"
    await works.pages.fleet.rows.execute(
        "INSERT INTO images (image_filename, image_url, image_group) VALUES ($1, 'artifact:of-a-frame', $2)",
        *(name, f"job-{works.video}"),
    )
    async with works.pages.look("viewer", scripts=False) as look:
        await look.go(f"/ui/images?group=job-{works.video}")
        await look.page.click("text=0:02 of the video")
        assert f"/ui/jobs/{works.video}/watch" in look.page.url
        source = await look.page.locator("#player source").first.get_attribute("src")
        assert source is not None
        assert source.endswith("#t=2.00")


async def test_a_video_is_watched_with_its_boxes_segments_and_what_is_seen(works: Works) -> None:
    async with works.pages.look("viewer") as look:
        await look.go(f"/ui/jobs/{works.video}/watch")
        await until(lambda: look.page.locator("#over rect").count(), 30)
        assert await look.page.locator("#over text").all_text_contents() == [
            f"{one['label']} {one['track']}" for one in TRACKS["tracks"]
        ]
        await look.page.uncheck("#show-boxes")
        assert not await look.page.locator("#over").is_visible()
        spans = await look.page.locator(".spans a").count()
        assert spans == sum(len(one) for one in TIMELINE["labels"].values())
        segments = await works.count(
            "SELECT planned FROM steps JOIN jobs USING (job_id) WHERE public_id = $1::uuid AND position = 0",
            works.video,
        )
        assert await look.page.locator(".strip rect").count() == segments
        look.must_be_clean()
    async with works.pages.look("viewer", scripts=False) as look:
        await look.go(f"/ui/jobs/{works.seen.failed}/watch")
        assert "The job has no video" in await look.text("main")
