"""Every action, without scripts: forms do it, and the database shows it."""

import httpx
import pytest

from tests.integration.gateway.pages.page_scene import Look, PageScene
from windmill.operate.keys.key_text import prefix_of

pytestmark = [pytest.mark.database, pytest.mark.broker, pytest.mark.asyncio(loop_scope="session")]


async def press(look: Look, name: str, within: str = "main") -> None:
    await look.page.locator(within).get_by_role("button", name=name, exact=True).click()


async def test_services_are_paused_with_a_reason_and_let_go_on(pages: PageScene) -> None:
    rows = pages.fleet.rows
    async with pages.look("operator", scripts=False) as look:
        await look.go("/ui/services/pose")
        await look.page.fill("#reason", "GPU needed <b>now</b>")
        await look.page.fill("#minutes", "90")
        await press(look, "Pause pose")
        assert await look.text(".flash") == "pose is paused."
        assert "by ann until" in await look.text("#state")
        assert "\u201cGPU needed <b>now</b>\u201d" in await look.text("#state")
        wanted = await rows.fetchrow(
            "SELECT paused, reason, paused_until > now() AS ends FROM wanted_states WHERE name = 'pose'"
        )
        assert wanted
        assert tuple(wanted.values()) == (True, "GPU needed <b>now</b>", True)
        await look.go("/ui/")
        assert await look.text("#s-pose .st") == "paused"
        await look.page.click("#s-pose button")
        assert await look.text("#s-pose .st") == "idle"
        assert await rows.fetchval("SELECT paused FROM wanted_states WHERE name = 'pose'") is False
        await look.go("/ui/services/pose")
        await look.page.fill("#concurrency", "3")
        await press(look, "Set concurrency")
        assert await rows.fetchval("SELECT concurrency FROM wanted_states WHERE name = 'pose'") == 3
        await look.page.fill("#concurrency", "")
        await press(look, "Set concurrency")
        assert await rows.fetchval("SELECT concurrency FROM wanted_states WHERE name = 'pose'") is None
        await look.go("/ui/")
        await look.page.click("text=Pause all")
        await press(look, "Pause everything")
        assert await rows.fetchval("SELECT paused FROM wanted_states WHERE name = '*'") is True
        await press(look, "Resume all")
        assert await rows.fetchval("SELECT paused FROM wanted_states WHERE name = '*'") is False


async def test_parked_jobs_are_redriven_and_thrown_away_as_many_as_were_counted(pages: PageScene) -> None:
    await pages.park("nsfw2", "SERVICE_ERROR", 3)
    await pages.park("nsfw2", "IMAGE_UNREADABLE", 2)
    async with pages.look("operator", scripts=False) as look:
        await look.go("/ui/failures?service=nsfw2")
        group = "#f-nsfw2-SERVICE_ERROR"
        assert await look.text(f"{group} .cnt a") == "3"
        assert "/srv" not in await look.page.content()
        await look.page.click(f"{group} .cnt a")
        assert await look.page.locator("tbody tr").count() == 3
        await look.go("/ui/failures?service=nsfw2")
        await look.page.click(f"{group} a:has-text('Redrive')")
        assert await look.text("h1") == "Redrive 3\u00a0jobs?"
        await pages.park("nsfw2", "SERVICE_ERROR", 1)
        await press(look, "Redrive 3")
        assert "CONFLICT" in await look.text("main")
        assert await pages.fleet.depth("nsfw2", ".failed") == 6
        await look.go("/ui/failures/redrive?service=nsfw2&code=SERVICE_ERROR")
        await press(look, "Redrive 4")
        assert (await pages.fleet.depth("nsfw2"), await pages.fleet.depth("nsfw2", ".failed")) == (4, 2)
        await look.go("/ui/failures?service=nsfw2")
        await look.page.click("#f-nsfw2-IMAGE_UNREADABLE a:has-text('Resolve')")
        await press(look, "Throw away 2")
        assert await pages.fleet.depth("nsfw2", ".failed") == 0
        await look.go("/ui/failures?service=nsfw2")
        assert "No job is parked that matches" in await look.text("main")


async def test_a_failure_is_muted_for_a_while_with_who_and_why_and_heard_again(pages: PageScene) -> None:
    rows, group, line = pages.fleet.rows, "#f-detectron2-SERVICE_ERROR", "#m-detectron2-SERVICE_ERROR"
    await pages.fleet.declare("detectron2")
    await pages.park("detectron2", "SERVICE_ERROR", 2)
    await pages.park("detectron2", "BAD_RESPONSE", 1)
    async with pages.look(scripts=False) as look:
        await look.go("/ui/failures?service=detectron2")
        await look.page.click(f"{group} .mute summary")
        await look.page.fill(f"{group} input[name=reason]", "a card is away")
        await look.page.fill(f"{group} input[name=minutes]", "90")
        await press(look, "Mute SERVICE_ERROR", group)
        found = await rows.fetchrow(
            "SELECT principal, reason, muted_until - now() BETWEEN interval '85 minutes' AND interval '91 minutes'"
            " FROM muted_failures WHERE service = 'detectron2' AND code = 'SERVICE_ERROR'"
        )
        assert found
        assert tuple(found) == ("ann", "a card is away", True)
        assert await look.page.locator(group).count() == 0
        assert await look.page.locator("#f-detectron2-BAD_RESPONSE").count() == 1
        told = await look.text(line)
        assert all(word in told for word in ("2", "ann", "a card is away"))
        await press(look, "Hear again SERVICE_ERROR at detectron2", line)
        assert await look.page.locator(line).count() == 0
        assert await look.text(f"{group} .cnt a") == "2"
        assert await rows.fetchval("SELECT count(*) FROM muted_failures WHERE service = 'detectron2'") == 0
        changes = (
            "SELECT action FROM audit_log WHERE subject = 'detectron2' AND action LIKE 'failed.%' ORDER BY audit_id"
        )
        assert [row["action"] for row in await rows.fetch(changes)] == ["failed.mute", "failed.hear"]
        await look.go("/ui/failures/purge?service=detectron2&code=BAD_RESPONSE")
        await press(look, "Throw away 1")
        resolved = await look.text("[aria-labelledby=resolved] tbody tr")
        assert all(word in resolved for word in ("BAD_RESPONSE", "detectron2", "ann"))


async def test_a_key_is_shown_once_and_rotated_and_refused_when_revoked(pages: PageScene) -> None:
    rows = pages.fleet.rows
    async with pages.look("admin", scripts=False) as look:
        await look.go("/ui/keys")
        await look.page.fill("#name", "camera")
        await look.page.fill("#principal", "bob")
        await look.page.select_option("#scope", "operator")
        await press(look, "Create key")
        secret = await look.text("#secret")
        prefix = prefix_of(secret)
        row = await rows.fetchrow("SELECT name, principal, scope, quota_jobs FROM api_keys WHERE prefix = $1", prefix)
        assert row
        assert tuple(row.values()) == ("camera", "bob", "operator", None)
        client = await pages.scene.client(secret)
        assert (await client.get("/services")).status_code == 200
        await look.go("/ui/keys")
        assert secret not in await look.page.content()
        line = f"#k-{prefix}"
        await look.page.click(f"{line} summary")
        await press(look, "Rotate camera", line)
        rotated = await look.text("#secret")
        assert rotated != secret
        await look.page.click(f"{line} summary")
        await press(look, "Revoke camera", line)
        assert await look.text(f"{line} .st") == "revoked"
        assert (await (await pages.scene.client(rotated)).get("/services")).status_code == 401
        await look.go(f"/ui/audit?subject={prefix}")
        actions = await rows.fetch("SELECT action FROM audit_log WHERE subject = $1 ORDER BY audit_id DESC", prefix)
        shown = await look.page.locator("tbody tr td:nth-child(3)").all_inner_texts()
        assert shown == [one["action"] for one in actions] == ["keys.revoke", "keys.rotate", "keys.create"]


async def test_a_webhook_is_made_tried_out_sent_to_again_and_deleted(pages: PageScene) -> None:
    rows = pages.fleet.rows
    async with pages.look("operator", scripts=False) as look:
        await look.go("/ui/webhooks")
        await look.page.fill("#url", "https://hooks.example/pages")
        await press(look, "Create webhook")
        assert (await look.text("#secret")).startswith("whsec_")
        made = await rows.fetchrow("SELECT webhook_id FROM webhooks WHERE url = 'https://hooks.example/pages'")
        assert made
        await look.page.click("a:has-text('https://hooks.example/pages')")
        assert str(made["webhook_id"]) in look.page.url
        await press(look, "Disable")
        assert await look.text("#state .st") == "disabled"
        await press(look, "Send a test")
        sent = "FROM webhook_deliveries WHERE webhook_id = $1"
        assert await rows.fetchval(f"SELECT count(*) {sent}", made["webhook_id"]) == 1
        await rows.execute("UPDATE webhook_deliveries SET status = 'failed' WHERE webhook_id = $1", made["webhook_id"])
        await look.go(look.page.url.removeprefix(pages.scene.url) + "?status=failed")
        await press(look, "Replay webhook.test")
        status = await rows.fetchval(f"SELECT status {sent}", made["webhook_id"])
        assert status == "pending"
        await look.page.click("summary:has-text('Change')")
        await press(look, "Delete webhook")
        assert not await rows.fetchval("SELECT count(*) FROM webhooks WHERE webhook_id = $1", made["webhook_id"])


async def test_who_may_only_look_sees_no_button_and_is_refused(pages: PageScene) -> None:
    async with pages.look("viewer") as look:
        for path in ("/ui/", "/ui/services/clip", "/ui/failures", "/ui/runs"):
            await look.go(path)
            names = await look.page.locator("main").get_by_role("button").all_inner_texts()
            links = await look.page.locator("main a.btn").all_inner_texts()
            assert not any(word in " ".join([*names, *links]) for word in ("Pause", "Redrive", "Resolve", "Set")), path
        sections = await look.page.locator(".nav a").all_inner_texts()
        assert not {"Keys", "Audit", "Webhooks"} & set(sections)
        token = await look.page.locator("input[name=token]").first.get_attribute("value")
    jar = {"windmill_key": pages.keys["viewer"]}
    async with httpx.AsyncClient(base_url=pages.scene.url, cookies=jar) as client:
        sent = {"token": token, "name": "clip"}
        refused = await client.post("/ui/work/pause", data=sent)
        assert (refused.status_code, "PERMISSION_DENIED" in refused.text) == (403, True)
        for path in ("/ui/keys", "/ui/audit", "/ui/webhooks"):
            assert (await client.get(path)).status_code == 403, path


async def test_a_form_that_is_none_of_ours_changes_nothing(pages: PageScene) -> None:
    async with pages.look("operator") as look:
        await look.go("/ui/services/clip")
        token = await look.page.locator("input[name=token]").first.get_attribute("value") or ""
    jar = {"windmill_key": pages.keys["operator"]}
    own = pages.scene.url
    async with httpx.AsyncClient(base_url=own, cookies=jar) as client:
        tries: tuple[tuple[dict[str, str], dict[str, str]], ...] = (
            ({"name": "clip"}, {}),
            ({"name": "clip", "token": "x" * 40}, {}),
            ({"name": "clip", "token": token}, {"Origin": "https://evil.example"}),
            ({"name": "clip", "token": token}, {"Origin": "null"}),
            ({"name": "clip", "token": token}, {"Origin": own, "Sec-Fetch-Site": "cross-site"}),
        )
        for sent, headers in tries:
            assert (await client.post("/ui/work/pause", data=sent, headers=headers)).status_code == 403, headers
        assert (await client.post("/services/clip/pause")).status_code == 401, "a cookie alone changes nothing"
        assert (await client.get("/services/clip")).status_code == 200
        assert not await pages.fleet.rows.fetchval("SELECT count(*) FROM wanted_states WHERE name = 'clip' AND paused")
        done = await client.post("/ui/work/resume", data={"name": "clip", "token": token, "back": "//evil.example/ui/"})
        assert (done.status_code, done.headers["location"]) == (303, "/ui/")
        wrong = await client.post("/ui/work/pause", data={"name": "clip", "token": token, "minutes": "-3"})
        assert (wrong.status_code, "/minutes" in wrong.text) == (422, True)


async def test_a_browser_logs_in_with_a_key_and_out_again(pages: PageScene) -> None:
    async with pages.look(None) as look:
        await look.go("/ui/runs")
        assert "/ui/login?next=" in look.page.url
        await look.page.fill("#key", "wm_aaaaaaaa_" + "a" * 43)
        await press(look, "Log in")
        assert "That key is not good." in await look.text("main")
        await look.page.fill("#key", pages.keys["viewer"])
        await press(look, "Log in")
        assert look.page.url.endswith("/ui/runs")
        [cookie] = [one for one in await look.page.context.cookies() if one["name"] == "windmill_key"]
        assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Lax")
        await press(look, "Log out", "header")
        assert "/ui/login" in look.page.url
        await look.go("/ui/")
        assert "/ui/login" in look.page.url
        look.must_be_clean()
