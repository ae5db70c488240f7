"""Pictures of the pages for people to look at: var/test/screenshots, in the light, in the dark and on a phone."""

import pytest

from tests.integration.gateway.pages.page_scene import PageScene
from tests.integration.gateway.pages.seen_pages import Album, Works
from tests.integration.gateway.pages.seen_talks import Talk
from windmill.core.settings import ROOT

pytestmark = [pytest.mark.database, pytest.mark.broker, pytest.mark.asyncio(loop_scope="session")]

FOLDER = ROOT / "var" / "test" / "screenshots"
LOOKS = {"light": ("light", 1400), "dark": ("dark", 1400), "phone": ("light", 390), "dark-phone": ("dark", 390)}
REFUSED = "Failed to load resource: the server responded with a status of 404 (Not Found)"
"""What Chromium says of a page that is not there."""


@pytest.mark.slow(reason="a minute: every page in four looks")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("look_name", LOOKS)
async def test_every_page_is_photographed_and_none_is_wider_than_its_window(
    pages: PageScene, album: Album, works: Works, talk: Talk, look_name: str
) -> None:
    scheme, width = LOOKS[look_name]
    paths = paths_of(album, works, talk)
    FOLDER.mkdir(parents=True, exist_ok=True)
    async with pages.look("admin", width=width, scheme=scheme) as look:
        for name, path in paths.items():
            await look.go(path)
            picture = await look.page.screenshot(path=FOLDER / f"{name}-{look_name}.png", full_page=True)
            assert len(picture) > 5_000, f"{path} is empty"
            assert await look.page.evaluate("document.documentElement.scrollWidth") <= width, path
        assert look.complaints == [REFUSED] * sum(path in MISSING for path in paths.values())
        look.complaints.clear()
        look.must_be_clean()
    async with pages.look(None, width=width, scheme=scheme) as stranger:
        await stranger.go("/ui/login")
        await stranger.page.screenshot(path=FOLDER / f"login-{look_name}.png", full_page=True)
        stranger.must_be_clean()


MISSING = ("/ui/images/999999", "/ui/nothing")


def paths_of(album: Album, works: Works, talk: Talk) -> dict[str, str]:
    """Every page, by the name of its picture."""
    return {
        "overview": "/ui/",
        "service": "/ui/services/clip",
        "workers": "/ui/workers",
        "runs": "/ui/runs",
        "failures": "/ui/failures",
        "failed-answers": "/ui/failures/answers?service=clip&code=SERVICE_TIMEOUT",
        "images": "/ui/images?group=park",
        "search": "/ui/images?query=label:dog",
        "nothing-found": "/ui/images?query=label:unicorn",
        "not-understood": "/ui/images?query=persons:x",
        "nothing-similar": f"/ui/images?similar={album.seen.sure}",
        "inspector": f"/ui/images/{album.seen.sure}",
        "preview": f"/ui/images/{album.seen.doubtful}?without=yolov8",
        "jobs": "/ui/jobs",
        "no-jobs": "/ui/jobs?preset=none",
        "job-done": f"/ui/jobs/{works.seen.done}",
        "job-failed": f"/ui/jobs/{works.seen.failed}",
        "job-paused": f"/ui/jobs/{works.seen.paused}",
        "job-running": f"/ui/jobs/{works.seen.running}",
        "video": f"/ui/jobs/{works.video}/watch",
        "sessions": "/ui/sessions",
        "session": talk.url,
        "parked": "/ui/failures/jobs?service=clip&code=SERVICE_TIMEOUT",
        "redrive": "/ui/failures/redrive?service=clip&code=SERVICE_TIMEOUT",
        "pause": "/ui/work/pause?name=*",
        "compose": "/ui/compose",
        "form": "/ui/compose/cinematic_portrait_v1",
        "webhooks": "/ui/webhooks",
        "keys": "/ui/keys",
        "audit": "/ui/audit",
        **dict(zip(("no-image", "no-page"), MISSING, strict=True)),
    }
