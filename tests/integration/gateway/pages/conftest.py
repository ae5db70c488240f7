"""One gateway and one browser for all tests of pages of a process: both take a while to start. Tests keep out of each
other's way by the names of what they make."""

import os
import shutil
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import async_playwright

from tests.conftest import own_environ
from tests.integration.fleet import running_fleet, unavailable
from tests.integration.gateway.pages.page_scene import PageScene
from tests.integration.gateway.pages.seen_pages import album, talk, talks, works
from tests.integration.gateway_scene import gateway_scene
from windmill.core.settings import Settings

__all__ = ["album", "talk", "talks", "works"]


@pytest.fixture(scope="session")
def page_environ(servers: Mapping[str, str], template: str) -> Iterator[dict[str, str]]:
    with own_environ(servers, template) as variables:
        yield variables


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def pages(page_environ: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[PageScene]:
    """A gateway with keys for each scope, some data, and Chromium."""
    settings, folder = Settings.from_env(page_environ), tmp_path_factory.mktemp("pages")
    async with (
        async_playwright() as playwright,
        running_fleet(page_environ, settings, folder) as fleet,
        gateway_scene(fleet, settings, folder) as scene,
    ):
        program = _chromium(playwright.chromium.executable_path)
        browser = await playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        made = PageScene(scene, browser)
        await made.begin()
        yield made
        await browser.close()


def _chromium(own: str) -> str:
    """Debian's, best the one without windows, which takes half the time; else the one that playwright would bring."""
    found = shutil.which("chromium-headless-shell") or shutil.which("chromium") or (own if Path(own).exists() else None)
    if found is None:
        unavailable("there is no Chromium: apt-get install chromium-headless-shell")
    assert found
    os.environ.setdefault("NO_PROXY", "127.0.0.1")
    return found
