"""The picture of the inspector, enlarged and moved."""

import pytest

from tests.integration.gateway.pages.page_scene import Look
from tests.integration.gateway.pages.seen_pages import Album
from tests.waiting import until

pytestmark = [pytest.mark.database, pytest.mark.broker, pytest.mark.asyncio(loop_scope="session")]


async def _frame(look: Look) -> list[float]:
    """What of the picture is in view, in its pixels."""
    shown = await look.page.get_attribute("#view svg", "viewBox")
    return [float(one) for one in (shown or "").split()]


async def _turn_the_wheel(look: Look) -> None:
    await look.page.locator("#view").hover()
    await look.page.keyboard.down("Control")
    await look.page.mouse.wheel(0, -100)
    await look.page.keyboard.up("Control")
    await until(lambda: look.says("#zoomed", "338 %"), 10)


async def _drag(look: Look) -> None:
    """Nothing that is dragged over is clicked."""
    before, url = await _frame(look), look.page.url
    box = await look.page.locator("#view svg").bounding_box()
    assert box
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    await look.page.mouse.move(x, y)
    await look.page.mouse.down()
    await look.page.mouse.move(x + 60, y + 40, steps=3)
    await look.page.mouse.up()
    after = await _frame(look)
    assert (after[0] < before[0], after[1] < before[1], look.page.url) == (True, True, url)


async def test_the_picture_is_enlarged_and_moved_by_keys_buttons_the_wheel_and_dragging(album: Album) -> None:
    async with album.pages.look("viewer") as look:
        await look.go(f"/ui/images/{album.seen.sure}")
        whole = await _frame(look)
        await look.page.locator("h1").click()
        await look.page.keyboard.press("+")
        assert await look.text("#zoomed") == "150 %"
        left, _, width, _ = await _frame(look)
        assert width < whole[2]
        await look.page.keyboard.press("ArrowRight")
        assert (await _frame(look))[0] > left
        await look.page.click("text=Zoom in")
        await _turn_the_wheel(look)
        await _drag(look)
        await look.page.keyboard.press("0")
        assert await _frame(look) == whole
        await look.page.keyboard.press("?")
        assert "the bare picture" in await look.text("#keys")
        look.must_be_clean()
