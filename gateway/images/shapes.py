"""Images outside."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import Path, UploadFile
from pydantic import Field, StrictBool, model_validator

from gateway.images.finding_shapes import BoxShape, FailureShape, VoteShape
from gateway.runs.shapes import Group, ImageAnswers, RunDetails, ServiceNames
from gateway.shape import PageQuery, Shape

ImageId = Annotated[int, Path(ge=1, le=2**63 - 1, description="The number of the image")]
MOST_URLS = 10_000


class NewImagesBody(Shape):
    """Either `urls`, on the web or in stores that workers may read, or a `folder` or archive by its path from
    IMAGE_ROOT on."""

    urls: Annotated[tuple[Annotated[str, Field(min_length=1, max_length=4_000)], ...], Field(max_length=MOST_URLS)] = ()
    folder: Annotated[str, Field(min_length=1, max_length=4_000)] | None = Field(default=None, examples=["holidays"])
    group: Group | None = Field(default=None, examples=["holidays"])
    keep_copies: StrictBool = False

    @model_validator(mode="after")
    def _has_one_source(self) -> "NewImagesBody":
        if bool(self.urls) == (self.folder is not None):
            raise ValueError("give either urls or a folder")
        return self


class UploadForm(Shape):
    """Files of images, as many as fit; `group` names them."""

    files: list[UploadFile] = Field(min_length=1, max_length=1_000)
    group: Group | None = None


class RegisteredImage(Shape):
    """What became of one entry; a copy shares the answers of `copy_of`."""

    name: str
    status: Literal["registered", "copy", "known", "bad"]
    image_id: int | None
    copy_of: int | None
    reason: str | None


class RegistrationAnswer(Shape):
    """`images` are the first 10,000 entries; the numbers are of all. `known` were registered before, of which `joined`
    came into the group now."""

    images: list[RegisteredImage]
    registered: int
    copies: int
    known: int
    joined: int
    bad: int
    ignored: int
    group: str | None


class ImageSummary(Shape):
    """`location` is a URL, or a path from IMAGE_ROOT on where one can be told."""

    image_id: int
    name: str
    location: str | None
    group: str | None
    width: int | None
    height: int | None
    copy_of: int | None
    created_at: datetime


class ImageList(Shape):
    images: list[ImageSummary]
    count: int
    next_cursor: str | None


class ImageQuery(PageQuery):
    group: Group | None = None


class ImageFacts(Shape):
    """`copy_of` is the image whose answers, boxes and votes a copy shares."""

    image_id: int
    copy_of: int | None
    image_filename: str
    image_group: str | None
    width: int | None
    height: int | None
    image_created: datetime
    location: str | None


class WholeAnswer(Shape):
    """What came of one service for the whole image."""

    service: str
    attempt: int
    seconds: float | None
    failure: FailureShape | None


class ImageKnowledge(Shape):
    """All that is known of an image, as `windmill show --json` tells it. `votes` is null while there was no vote."""

    image: ImageFacts
    votes: list[VoteShape] | None
    runners_up: list[VoteShape]
    special: dict[str, float | None]
    calibration: str | None
    boxes: list[BoxShape]
    answers: list[WholeAnswer]
    awaited: list[str]
    open_stages: list[str]


class TryBody(Shape):
    services: ServiceNames


class TryAnswer(Shape):
    """What has come by now, and of whom an answer is awaited; the run tells of the rest."""

    run: RunDetails
    image: ImageAnswers
    awaited: list[str]
