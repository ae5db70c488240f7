"""What the page of a session sends."""

import uuid
from typing import Annotated

from pydantic import Field

from gateway.pages.forms import PageForm
from gateway.sessions.shapes import Seconds
from windmill.core.errors import WindmillError
from windmill.operate.sessions.claims import NewClaim


class ClaimForm(PageForm):
    """`whose` is self, user:NAME or guest."""

    speaker_id: uuid.UUID
    whose: Annotated[str, Field(pattern=r"^(self|guest|user:.{1,200})$")]
    guest_name: Annotated[str, Field(max_length=100)] = ""

    @property
    def claim(self) -> NewClaim:
        """Raises USAGE for a guest without a name."""
        kind, _, user = self.whose.partition(":")
        if kind == "user":
            return NewClaim(self.speaker_id, "user", user)
        if kind == "self":
            return NewClaim(self.speaker_id, "self")
        if not self.guest_name:
            raise WindmillError("USAGE", "a guest needs a name", "write it beside the list")
        return NewClaim(self.speaker_id, "guest", guest_name=self.guest_name)


class SpeakerForm(PageForm):
    speaker_id: uuid.UUID


class MergeForm(PageForm):
    """What `speaker_id` said counts for `into`."""

    speaker_id: uuid.UUID
    into: uuid.UUID


class SplitForm(PageForm):
    """What the voice says from `start` to before `end` seconds is somebody else's."""

    speaker_id: uuid.UUID
    start: Seconds
    end: Seconds
