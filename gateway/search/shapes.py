"""Search outside."""

import uuid
from datetime import datetime
from typing import Annotated, Literal

from fastapi import Path
from pydantic import Field

from gateway.shape import PageQuery, Shape
from windmill.kernels.query.tokens import MOST_CHARACTERS
from windmill.operate.search.similar import MOST_DISTANCE

QueryText = Annotated[
    str, Field(max_length=MOST_CHARACTERS, pattern=r"^[^\x00]*$", examples=["label:dog -person taken:2024-05.."])
]
SearchId = Annotated[uuid.UUID, Path(description="The id of a saved search")]


class SearchQuery(PageQuery):
    """An empty query finds everything."""

    query: QueryText = ""


class FacetQuery(Shape):
    query: QueryText = ""


class SimilarQuery(Shape):
    """`by`: the name of a service whose vectors are compared, `hash` or `labels`; by itself a vector, where the image
    has one, else the hash, and labels if no image has nearly the same hash. `distance`: so many bits of the hashes may
    differ."""

    by: Annotated[str, Field(max_length=100, pattern=r"^[^\x00]*$", examples=["hash"])] = ""

    distance: Annotated[int, Field(ge=0, le=MOST_DISTANCE)] = MOST_DISTANCE
    limit: Annotated[int, Field(ge=1, le=500)] = 50


class LabelShape(Shape):
    label: str
    probability: float


class ReasonShape(Shape):
    """What of the query the image fulfils."""

    field: str
    value: str
    probability: float | None


class FrameShape(Shape):
    """The image is a frame of a job: of its video at so many `seconds`, where it has one."""

    job_id: uuid.UUID
    name: str
    seconds: float | None


class HitShape(Shape):
    """An image that was found; null is unknown. `labels` are the likeliest, `text` is captions and words in it."""

    image_id: int
    name: str
    location: str | None
    group: str | None
    width: int | None
    height: int | None
    taken: datetime | None
    camera: str | None
    labels: list[LabelShape]
    persons: int | None
    faces: int | None
    colours: list[str]
    nsfw: float | None
    text: str | None
    frame: FrameShape | None
    why: list[ReasonShape]


class TotalShape(Shape):
    images: int
    relation: Literal["exact", "at_least", "about"]


class ExplanationShape(Shape):
    """How the hits were found."""

    plan: Literal["nothing", "rare", "walk", "candidates"]
    reason: str
    milliseconds: float


class SearchAnswer(Shape):
    """The newest hits first. Not `complete`: enough rows were looked at for now, and `next_cursor` goes on. `total` is
    of the whole query, and only on its first page; `query` is how it was understood."""

    hits: list[HitShape]
    count: int
    next_cursor: str | None
    complete: bool
    total: TotalShape | None
    explanation: ExplanationShape
    query: str


class FacetValue(Shape):
    """`query` narrows the search down to it."""

    value: str
    images: int
    query: str


class FacetShape(Shape):
    field: str
    values: list[FacetValue]


class FacetAnswer(Shape):
    """`sampled`: counted among the `of` newest hits; else among all."""

    facets: list[FacetShape]
    of: int
    sampled: bool


class SimilarShape(HitShape):
    """`distance`: bits that differ, or by the cosine of vectors from 0, the same, to 2."""

    distance: float


class SimilarAnswer(Shape):
    """What images were compared `by`, and the `ways` in which this one can be: by vectors of services, by its
    perceptual hash, if it is `hashed`, and by its labels. Not `complete`: only the newest were compared."""

    hits: list[SimilarShape]
    count: int
    hashed: bool
    by: str
    ways: list[str]
    complete: bool


class SavedSearchBody(Shape):
    name: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]*$", examples=["dogs of May"])]
    query: QueryText


class SavedSearchShape(Shape):
    id: uuid.UUID
    name: str
    query: str
    created_at: datetime


class SavedSearchAnswer(Shape):
    search: SavedSearchShape


class SavedSearchList(Shape):
    searches: list[SavedSearchShape]
    count: int
