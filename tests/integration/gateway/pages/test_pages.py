"""Each page as people meet it: what it shows is what the database has, and it does nothing that it must not."""

import pytest

from tests.integration.gateway.pages.page_scene import PageScene

pytestmark = [pytest.mark.database, pytest.mark.broker, pytest.mark.asyncio(loop_scope="session")]

PAGES = (
    "/ui/",
    "/ui/services/clip",
    "/ui/work/pause?name=*",
    "/ui/workers",
    "/ui/runs",
    "/ui/failures",
    "/ui/failures/jobs?service=clip&code=SERVICE_TIMEOUT",
    "/ui/failures/answers?service=clip&code=SERVICE_TIMEOUT",
    "/ui/failures/redrive?service=clip&code=SERVICE_TIMEOUT",
    "/ui/webhooks",
    "/ui/keys",
    "/ui/audit",
    "/ui/login",
    "/ui/nothing",
)
FIRST_VISIT_BYTES = 100_000
DEPENDS_ON_THE_SCREEN = ("color-contrast", "target-size", "link-in-text-block")
"""The rules that a page may break in the dark or on a phone alone."""


@pytest.mark.parametrize(
    "scheme", ["light", pytest.param("dark", marks=pytest.mark.slow(reason="10 s: every page in another look"))]
)
async def test_every_page_is_fit_for_all_and_asks_nobody_else(pages: PageScene, scheme: str) -> None:
    width, rules = (1400, ()) if scheme == "light" else (390, DEPENDS_ON_THE_SCREEN)
    wrong: list[str] = []
    async with pages.look("admin", width=width, scheme=scheme) as look:
        for path in PAGES:
            look.first_bytes = 0
            wrong += await look.unfit(path, *rules)
            wrong += [f"{path} takes {look.first_bytes} bytes"] if look.first_bytes > FIRST_VISIT_BYTES else []
        assert wrong == []
        look.complaints = [one for one in look.complaints if "404" not in one]
        look.must_be_clean()
