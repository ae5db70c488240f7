"""What requests and answers are made of: unknown fields are refused both ways."""

from typing import Annotated, Any

import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field


class Shape(BaseModel):
    """The base of every shape."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _storable(document: dict[str, Any]) -> dict[str, Any]:
    try:
        orjson.dumps(document)
    except (orjson.JSONEncodeError, RecursionError) as error:
        raise ValueError("holds a value that cannot be stored, such as a number that is too large") from error
    return document


JsonObject = Annotated[dict[str, Any], AfterValidator(_storable)]
"""Any JSON object that can be stored."""

Limit = Annotated[int, Field(ge=1, le=500)]
Cursor = Annotated[str, Field(max_length=2_000)]


class PageQuery(Shape):
    """What every list takes."""

    limit: Limit = 50
    cursor: Cursor | None = None
