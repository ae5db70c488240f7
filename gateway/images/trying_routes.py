"""Try it now: one image through chosen services, and their answers as they come."""

from fastapi import Request, Response

from gateway.conditions import preferred_wait
from gateway.context import Context, Who
from gateway.guard import Operator, noun_router
from gateway.images.shapes import ImageId, TryAnswer, TryBody
from gateway.runs.answering import answers_of, details
from gateway.runs.routes import URGENT
from windmill.operate.runs.asking import RunAsker, answering_image
from windmill.operate.runs.reading import new_answers, read_run, wait_until_answered

router = noun_router("images")


@router.post(
    "/images/{image_id}/try",
    status_code=202,
    response_model=TryAnswer,
    responses={200: {"model": TryAnswer, "description": "All have answered."}},
)
async def try_image(
    request: Request, gateway: Context, caller: Operator, who: Who, image_id: ImageId, body: TryBody
) -> Response:
    """Ask services about one image before all others, whatever they said before. `Prefer: wait=10` answers 200 once all
    have answered, or 202 with what has come; the run tells of the rest."""
    caller.priority(URGENT)
    pool, settings = gateway.access.pool, gateway.settings
    services = [one.name for one in (await gateway.image_fleet.fleet()).select(body.services)]
    answering = await answering_image(pool, settings, image_id)
    asker = RunAsker(pool, settings, who, caller.key)
    asked = await asker.try_image(gateway.image_fleet.sender, answering, services, caller.principal)
    waited = preferred_wait(request)
    if waited is not None:
        await wait_until_answered(pool, settings, asked.run_id, caller.sees, waited)
    run = await read_run(pool, settings, asked.run_id, caller.sees)
    image = await new_answers(pool, settings, run, answering)
    awaited = [one for one in services if one not in {answer.service for answer in image.answers}]
    shape = TryAnswer(run=await details(gateway, run), image=answers_of(image), awaited=awaited)
    response = Response(shape.model_dump_json(), 202 if awaited else 200, media_type="application/json")
    response.headers["Location"] = f"/runs/{asked.run_id}"
    if awaited:
        response.headers["Retry-After"] = "1"
    if waited is not None:
        response.headers["Preference-Applied"] = f"wait={waited:g}"
    return response
