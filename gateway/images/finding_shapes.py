"""What was found in an image, outside: merged boxes and votes."""

from gateway.shape import Shape


class FailureShape(Shape):
    """Why there is no answer, and what to do; unless it is `final`, it is tried again."""

    code: str
    message: str
    remedy: str
    final: bool


class BoxAnswerShape(Shape):
    service: str
    said: list[str]
    failure: FailureShape | None


class BoxShape(Shape):
    """A merged box: where it is in pixels (x, y, width, height), and who saw it."""

    label: str
    emoji: str
    confidence: float | None
    place: tuple[float, float, float, float] | None
    services: list[str]
    silent: list[str]
    answers: list[BoxAnswerShape]


class VoteShape(Shape):
    emoji: str
    probability: float | None
    sentence: str
