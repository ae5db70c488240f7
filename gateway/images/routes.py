"""Images: registered by upload, by URL or from a folder, listed, and shown with all that is known of them."""

from typing import Annotated

from fastapi import Form, Query

from gateway.context import Context, Gateway, Who
from gateway.guard import Operator, Viewer, noun_router
from gateway.hiding import hide_paths_within
from gateway.images.shapes import (
    ImageId,
    ImageKnowledge,
    ImageList,
    ImageQuery,
    ImageSummary,
    NewImagesBody,
    RegisteredImage,
    RegistrationAnswer,
    UploadForm,
)
from gateway.runs.answering import answers_of
from gateway.runs.shapes import ImageAnswers
from windmill.operate.images.reading import page_of_images, read_image, show_known_image
from windmill.operate.images.registering import Registrar, Registration, image_access, list_folder, list_urls
from windmill.operate.runs.reading import read_answers

router = noun_router("images")


@router.post("/images", status_code=201)
async def register(gateway: Context, _: Operator, who: Who, body: NewImagesBody) -> RegistrationAnswer:
    """Register images where they are: by URL, or a folder below IMAGE_ROOT."""
    access = image_access(gateway.settings)
    found = list_urls(body.urls, access) if body.folder is None else list_folder(body.folder, access)
    registrar = Registrar(gateway.access.pool, gateway.settings, who, body.group, body.keep_copies)
    return _registered(await registrar.register(found), body.group)


@router.post("/images/upload", status_code=201)
async def upload(
    gateway: Context, _: Operator, who: Who, form: Annotated[UploadForm, Form(media_type="multipart/form-data")]
) -> RegistrationAnswer:
    """Send images in. What they are is seen from their bytes; one that is sent twice is one image."""
    uploads = gateway.image_fleet.checked_uploads()
    kept = [await uploads.keep(one.file, one.filename or "") for one in form.files]
    registrar = Registrar(gateway.access.pool, gateway.settings, who, form.group)
    return _registered(await registrar.register(iter(kept)), form.group)


def _registered(done: Registration, group: str | None) -> RegistrationAnswer:
    counts = done.counts
    images = [RegisteredImage.model_validate(one, from_attributes=True) for one in done.entries]
    return RegistrationAnswer(
        images=[one.model_copy(update={"reason": hide_paths_within(one.reason)}) for one in images],
        registered=counts.registered,
        copies=counts.copies,
        known=counts.known,
        joined=counts.joined,
        bad=counts.bad_count,
        ignored=counts.ignored.total(),
        group=group,
    )


@router.get("/images")
async def list_images(gateway: Context, _: Viewer, query: Annotated[ImageQuery, Query()]) -> ImageList:
    """All images, or those of a group, the newest first."""
    wanted = {"list": "images", "group": query.group}
    before = gateway.cursors.open(wanted, query.cursor)
    rows = await page_of_images(gateway.access.pool, gateway.settings, query.group, before, query.limit)
    last = rows[-1]["image_id"] if len(rows) == query.limit else None
    images = [
        ImageSummary(
            image_id=row["image_id"],
            name=row["image_filename"],
            location=gateway.image_fleet.places.shown(row["image_path"], row["image_url"]),
            group=row["image_group"],
            width=row["width"],
            height=row["height"],
            copy_of=row["original_id"],
            created_at=row["image_created"],
        )
        for row in rows
    ]
    return ImageList(images=images, count=len(images), next_cursor=gateway.cursors.seal_next(wanted, last))


@router.get("/images/{image_id:int}")
async def show_image(gateway: Context, _: Viewer, image_id: ImageId) -> ImageKnowledge:
    """Its votes with their reasons, boxes, enrichment, who has answered, who failed and who is awaited."""
    places = gateway.image_fleet.places
    document = await show_known_image(gateway.access.pool, gateway.settings, image_id, places)
    location = document["image"]["location"]
    hidden = hide_paths_within(document)
    return ImageKnowledge.model_validate({**hidden, "image": {**hidden["image"], "location": location}})


@router.get("/images/{image_id}/results")
async def show_results(gateway: Context, _: Viewer, image_id: ImageId) -> ImageAnswers:
    """What each service has said of it, as the service sent it."""
    await _must_be_there(gateway, image_id)
    [image] = await read_answers(gateway.access.pool, gateway.settings, [image_id])
    return answers_of(image)


async def _must_be_there(gateway: Gateway, image_id: int) -> None:
    await read_image(gateway.access.pool, gateway.settings, image_id, gateway.settings.image_root)
