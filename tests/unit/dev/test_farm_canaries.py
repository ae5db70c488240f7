"""Stand-ins find what canaries show."""

import pytest

from dev.farm import answers
from dev.farm.answers import nothing_found
from dev.farm.pictures import open_picture
from windmill.calling.canaries import canary_image, finds_canary, finds_something
from windmill.core.services import CanaryKind


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("service", "kind"), [("face", "face"), ("pose", "body"), ("ocr", "words"), ("colors", "color")]
)
def test_a_stand_in_finds_what_its_canary_shows_whatever_its_seed(service: str, kind: CanaryKind, seed: int) -> None:
    picture = open_picture(canary_image(kind))
    assert finds_canary(kind, answers.predictions(service, picture, seed))
    assert not finds_something(kind, nothing_found(service))
