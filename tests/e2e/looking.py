"""Services that decode the picture as it was sent, and tell where it is red: python -m tests.e2e.looking PORT...

They ignore EXIF, as most services do.
"""

import asyncio
import io
import sys

from aiohttp import web
from PIL import Image, ImageChops

REDUCED = 8
"""Boxes are as exact as the squares of so many pixels in which colours are averaged."""


def red_part(data: bytes) -> tuple[tuple[int, int], tuple[int, int, int, int] | None]:
    """The size of the picture, and the box of what is red in it."""
    with Image.open(io.BytesIO(data)) as image:
        size, picture = image.size, image.convert("RGB").reduce(REDUCED)
    red, green, _blue = picture.split()
    found = ImageChops.subtract(red, green).point(lambda value: 255 if value > 120 else 0).getbbox()
    if found is None:
        return size, None
    left, upper, right, lower = (REDUCED * side for side in found)
    return size, (left, upper, right - left, lower - upper)


async def answer(request: web.Request) -> web.Response:
    form = await request.post()
    (file,) = form.values()
    assert isinstance(file, web.FileField)
    size, box = red_part(file.file.read())
    predictions = []
    if box:
        place = dict(zip(("x", "y", "width", "height"), box, strict=True))
        predictions = [{"label": "person", "confidence": 0.9, "bbox": place, "saw": list(size)}]
    return web.json_response({"status": "success", "predictions": predictions, "metadata": {}})


async def serve(ports: list[int]) -> None:
    application = web.Application(client_max_size=2**25)
    application.router.add_post("/{path:.*}", answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    for port in ports:
        await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve([int(port) for port in sys.argv[1:]]))
