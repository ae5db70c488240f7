"""A service that gives one fixed answer at once, or after so long, under a name:
python -m tests.e2e.answering PORT [SECONDS [NAME]]"""

import sys

import orjson
from aiohttp import web

from tests.waiting import at_work

NAME = sys.argv[3] if len(sys.argv) > 3 and __name__ == "__main__" else "yolo"
ANSWER = orjson.dumps(
    {
        "service": NAME,
        "status": "success",
        "predictions": [
            {
                "label": f"thing {number}",
                "confidence": 0.5,
                "bbox": {"x": number, "y": 20, "width": 30, "height": 40},
            }
            for number in range(15)
        ],
        "metadata": {"processing_time": 0.01, "model_info": {"framework": "fixed"}},
    }
)

SECONDS = float(sys.argv[2]) if len(sys.argv) > 2 and __name__ == "__main__" else 0.0


async def answer(request: web.Request) -> web.Response:
    await request.read()
    await at_work(SECONDS)
    return web.Response(body=ANSWER, content_type="application/json")


if __name__ == "__main__":
    application = web.Application(client_max_size=2**25)
    application.router.add_route("*", "/{path:.*}", answer)
    web.run_app(application, host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None)
