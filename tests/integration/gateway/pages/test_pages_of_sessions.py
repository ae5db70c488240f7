"""Talks as people hear, read and claim them: a control without effect in the database is a defect."""

import time

import httpx
import pytest

from tests.integration.gateway.pages.seen_pages import Talks
from tests.integration.gateway.pages.seen_talks import GAP, SECONDS, SPOKEN, Talk, heard, words_of
from tests.integration.talk_scene import send
from tests.waiting import until

pytestmark = [pytest.mark.database, pytest.mark.broker, pytest.mark.asyncio(loop_scope="session")]


PAGE_BYTES = 90_000
"""With style and scripts that is a first visit of less than 100 kB."""


@pytest.mark.parametrize(
    "scheme", ["light", pytest.param("dark", marks=pytest.mark.slow(reason="10 s: every page in another look"))]
)
async def test_pages_of_sessions_are_fit_for_all_and_ask_nobody_else(talks: Talks, talk: Talk, scheme: str) -> None:
    width, wrong = (1400 if scheme == "light" else 390), []
    async with talks.pages.look("operator", width=width, scheme=scheme) as look:
        for path in ("/ui/sessions", "/ui/sessions?status=failed", talk.url, f"{talk.url}?word=lah&at=16"):
            wrong += await look.unfit(path)
        await look.page.locator(".claim summary").first.click()
        wrong += [f"open card {one}" for one in await look.violations()]
        assert wrong == []
        look.must_be_clean()


async def test_the_list_has_what_the_database_has_and_an_empty_one_says_what_to_do(talks: Talks, talk: Talk) -> None:
    async with talks.pages.look("viewer", scripts=False) as look:
        await look.go("/ui/sessions")
        cells = await look.page.locator(f"#t-{talk.session} td").all_inner_texts()
        words = await talks.count("SELECT count(*) FROM session_hits WHERE session_id = $1::uuid", talk.session)
        assert (cells[0], cells[1], cells[4], cells[5], cells[6]) == (
            *("ready for claiming", "makan", "2", "20\u00a0s"),
            str(words),
        )
        await look.page.select_option("select[name=status]", "failed")
        await look.page.click("text=Filter")
        await look.page.wait_for_url("**status=failed*")
        assert "No such sessions" in await look.text("main")
        look.must_be_clean()


async def test_a_talk_is_read_without_scripts_with_its_gaps_corrections_and_counts(talks: Talks, talk: Talk) -> None:
    async with talks.pages.look("viewer", scripts=False) as look:
        await look.go(talk.url)
        assert await look.page.locator(".wave .gap").count() == 1
        assert await look.page.locator(".lane-t").count() == 2
        assert "speaks 2\u00a0times" in str(await look.page.locator(".lane-t").first.get_attribute("aria-label"))
        turns = await look.page.locator("#turns li").all_inner_texts()
        assert len(turns) == len(SPOKEN) + 1
        assert f"{GAP[1] - GAP[0]:.0f}\u00a0s without sound" in turns[3]
        # Plain English stays what it is; what was misheard says by which rule, and what was heard.
        assert "see you at lunch hour" in turns[0]
        assert "walao you late lah" in turns[1]
        await look.page.check("#v-raw")
        assert "wah lao you late lah" in await look.text("#turns li:nth-child(2)")
        await look.page.check("#v-both")
        assert "walao heard “wah lao”, rule wah_lao" in await look.text("#turns li:nth-child(2)")
        rules = await look.page.locator("[data-region=rules] th").all_inner_texts()
        assert sorted(rules) == ["paiseh", "walao"]
        for place, speaker in enumerate(await talk.speakers()):
            for one in speaker["word_counts"]:
                row = look.page.locator(f"[data-region=counts] tr:has(th:text-is('{one['word']}'))")
                if await row.count():
                    assert await row.locator("td").nth(place).inner_text() == str(one["count"])
        total = await talks.count("SELECT count(*) FROM session_hits WHERE session_id = $1::uuid", talk.session)
        assert (await look.text("#sums td:last-child")) == str(total)
        # A count leads to where the words were said, and the forms are for who may use them.
        await look.page.locator("[data-region=counts] a[aria-label='2 lah by Speaker 2']").click()
        assert (await look.text(".where")).split() == ["0:06", "0:16"]
        assert await look.page.locator("main form[method=post]").count() == 0
        look.must_be_clean()


async def test_words_light_up_while_it_plays_and_any_moment_is_a_click_away(talks: Talks, talk: Talk) -> None:
    async with talks.pages.look("viewer") as look:
        await look.go(talk.url)
        await until(lambda: look.page.evaluate("document.getElementById('player').readyState >= 1"), 30)
        await look.page.click("#turns li:nth-child(2) [data-t='6.00']")
        await until(lambda: look.page.locator("#turns .now").count(), 30)
        lit: set[str] = set()

        async def several() -> bool:
            lit.update(await look.page.locator("#turns .now .cor, #turns .now:not(.fix)").all_inner_texts())
            return bool(await look.page.evaluate("document.getElementById('player').currentTime > 8.6"))

        await until(several, 60)
        assert {"lah", "paiseh"} <= lit
        moved = await look.page.locator(".wave .play").get_attribute("transform")
        assert moved
        assert float(moved.split("(")[1].split()[0]) > 8 / SECONDS * 1000
        await look.page.evaluate("document.getElementById('player').pause()")
        box = await look.page.locator(".wave").bounding_box()
        assert box
        await look.page.mouse.click(box["x"] + box["width"] * 0.81, box["y"] + 30)
        await until(lambda: look.says("#turns .now", "can"), 30)
        look.must_be_clean()


async def test_voices_are_claimed_for_oneself_a_member_and_a_guest_and_unclaimed(talks: Talks) -> None:
    talk = await talks.new()
    claims = "SELECT count(*) FROM session_claims WHERE session_id = $1::uuid"
    async with talks.pages.look("operator", scripts=False) as look:
        await look.go(talk.url)
        one, two = [f"#v-{speaker['id']}" for speaker in await talk.speakers()]
        await look.page.locator(f"{one} >> text=Claim").last.click()
        assert (await talk.speakers())[0]["claimed_by"] == "ann"
        assert "claimed by ann" in await look.text(one)
        await look.page.select_option(f"{two} select[name=whose]", "user:bob")
        await look.page.locator(f"{two} >> text=Claim").last.click()
        assert (await talk.speakers())[1]["attributed_to_user_id"] == "bob"
        assert "completed" in await look.text("#lede")
        assert await look.text("#turns li:nth-child(2) .by") == "bob"
        await look.page.click(f"{two} >> text=Unclaim")
        assert await talks.count(claims, talk.session) == 1
        assert await talks.count("SELECT count(*) FROM audit_log WHERE action = 'sessions.claim'") >= 2
        await look.page.select_option(f"{two} select[name=whose]", "guest")
        await look.page.fill(f"{two} input[name=guest_name]", "Uncle Lim")
        await look.page.locator(f"{two} >> text=Claim").last.click()
        assert "Uncle Lim" in await look.text(f"{two} h3")
        look.must_be_clean()


async def test_voices_are_merged_and_split_and_the_last_change_is_undone(talks: Talks) -> None:
    talk = await talks.new()
    async with talks.pages.look("operator", scripts=False) as look:
        await look.go(talk.url)
        two = f"#v-{(await talk.speakers())[1]['id']}"
        await look.page.click(f"{two} summary")
        await look.page.click(f"{two} button:has-text('Merge')")
        assert len(await talk.speakers()) == 1
        assert await look.page.locator(".claim").count() == 1
        await look.page.click("button:has-text('Undo')")
        assert len(await talk.speakers()) == 2
        await look.page.click(f"{two} summary")
        await look.page.fill(f"{two} input[name=start]", "15.5")
        await look.page.fill(f"{two} input[name=end]", "18")
        await look.page.click(f"{two} button:has-text('Split')")
        assert [speaker["speaker_label"] for speaker in await talk.speakers()][2] == "SPEAKER_01 15.5-18"
        assert "Speaker 2, 15.5 to 18 s" in await look.text("#turns li:last-child .by")
        await look.page.click("button:has-text('Undo')")
        assert len(await talk.speakers()) == 2
        look.must_be_clean()


async def test_whoever_comes_second_is_told_who_was_first_and_names_follow_without_loading(talks: Talks) -> None:
    talk = await talks.new()
    speaker = (await talk.speakers())[0]["id"]
    async with talks.pages.look("operator", scripts=False) as late, talks.pages.look("viewer") as watching:
        await late.go(talk.url)
        await watching.go(talk.url)
        await watching.page.evaluate("window.same = true")
        taken = await talks.bob.post(
            f"/sessions/{talk.session}/claim", json={"speaker_id": speaker, "claim_type": "self"}
        )
        assert taken.status_code == 200
        async with late.page.expect_response(lambda answer: answer.url.endswith("/claim")) as answered:
            await late.page.locator(f"#v-{speaker} >> text=Claim").last.click()
        assert (await answered.value).status == 409
        assert "claimed for bob, by bob" in await late.text("[role=alert]")
        assert "claimed by bob" in await late.text(f"#v-{speaker}")
        assert (await talk.speakers())[0]["claimed_by"] == "bob"
        await until(lambda: watching.says("#turns li:first-child .by", "bob"), 30)
        assert await watching.page.evaluate("window.same")
        watching.must_be_clean()
        late.complaints = [one for one in late.complaints if "409" not in one]
        late.must_be_clean()


async def test_a_form_of_another_site_or_of_somebody_who_may_only_look_changes_nothing(talks: Talks) -> None:
    talk = await talks.new()
    speaker = (await talk.speakers())[0]["id"]
    sent = {"speaker_id": speaker, "whose": "self", "token": "no", "back": ""}
    for scope in ("viewer", "operator"):
        cookies = {"windmill_key": talks.pages.keys[scope]}
        async with httpx.AsyncClient(base_url=talks.pages.scene.url, cookies=cookies) as client:
            for action in ("claim", "unclaim", "merge", "part", "split", "undo"):
                assert (await client.post(f"{talk.url}/{action}", data=sent)).status_code == 403
    assert (await talk.speakers())[0]["claimed_by"] is None


async def test_a_talk_is_followed_from_its_recording_to_its_words(talks: Talks) -> None:
    session = await talks.hand.recorded(talks.ann, end=False)
    url = f"/ui/sessions/{session}"
    async with talks.pages.look("operator") as look:
        await look.go(url)
        assert "It is being recorded." in await look.text("#why")
        assert (await talks.ann.post(f"/sessions/{session}/end", json={"expected_chunks": 2})).status_code == 200
        await until(lambda: look.says("#stages", "join the chunks"), 30)
        assert "1\u00a0chunk is missing: 1." in await look.text("#why")
        await talks.hand.hears(session, heard())
        await until(lambda: look.page.locator("#turns li").count(), 30)
        assert "ready for claiming" in await look.text("#lede")
        assert (await send(talks.ann, session, 1)).status_code == 201
        await until(lambda: look.says("#lede", "processing"), 30)
        look.must_be_clean()
    job = (await talks.ann.get(f"/sessions/{session}")).json()["job"]
    assert (await talks.ann.post(f"/jobs/{job}/cancel")).status_code == 202


@pytest.mark.slow(reason="20 s: three hours of talk are written first")
async def test_the_page_of_three_hours_of_talk_is_small_quick_and_goes_on_by_itself(talks: Talks) -> None:
    seconds = 3 * 3_600.0
    spoken = [(f"SPEAKER_0{turn % 4}", turn * 5.0, "so we go there and eat lah") for turn in range(round(seconds / 5))]
    session = await talks.hand.recorded(talks.ann)
    await talks.hand.hears(session, heard(spoken, seconds))
    url = f"/ui/sessions/{session}"
    async with talks.pages.look("viewer") as look:
        await look.go(url)
        for path in (url, f"{url}?at=9000", f"{url}?word=lah"):
            began = time.perf_counter()
            answer = await talks.ann.get(path)
            took = time.perf_counter() - began
            size = len(answer.content)
            assert (answer.status_code, size < PAGE_BYTES, took < 2) == (200, True, True), (path, size, took)
        await until(lambda: look.page.evaluate("document.getElementById('player').readyState >= 1"), 30)
        await look.page.evaluate("document.getElementById('player').currentTime = 9001")
        await until(lambda: look.page.locator("#turns li:has(> a[data-at='9000.00'])").count(), 30)
        total = await look.text("#h-words + p")
        assert total.startswith(f"{len(words_of(spoken)):,}")
        look.must_be_clean()
