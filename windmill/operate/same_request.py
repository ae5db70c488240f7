"""The same request again: what it made before is answered, and nothing is made."""

import uuid
from typing import Any

from windmill.core.errors import WindmillError


def made_before(row: Any, digest: str | None) -> uuid.UUID:  # noqa: ANN401 - the driver's record
    """The id in a row that was made under the same key; raises IDEMPOTENCY_MISMATCH if by another request, and BUSY if
    it is gone."""
    if row is None:
        raise WindmillError("BUSY", "what this request had made was removed meanwhile")
    if row["request_digest"] != digest:
        raise WindmillError("IDEMPOTENCY_MISMATCH", "another request was made under this Idempotency-Key")
    found = row["id"]
    assert isinstance(found, uuid.UUID)
    return found
