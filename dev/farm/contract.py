"""What each of the 13 services does with a request, as data: the state of the API called V3.

Where the services differ they differ in these traits and in nothing else; the code that serves them is one.
"""

from dataclasses import dataclass, replace

FRAMEWORK = "windmill-farm"
"""What every stand-in says of itself in `model_info`, so that nobody takes it for a model."""

MAX_BYTES = 8 * 1024 * 1024
IMAGE_EXTENSIONS = frozenset({"png", "jpg", "jpeg", "gif", "bmp", "webp"})
ANALYZE_PATHS = frozenset({"/analyze", "/v3/analyze"})
SCORE_PATHS = frozenset({"/score", "/v3/score"})
DEPRECATED = {"/v2/analyze": ("image_url", "url"), "/v2/analyze_file": ("file_path", "file")}
"""Old path -> its parameter and the parameter of today that it stands for."""
HEALTH_PATH = "/health"
CLASSES_PATH = "/classes"
SHINY_CHANCE = 1 / 2500


@dataclass(frozen=True)
class Traits:
    """How one service behaves where the services disagree; the defaults are what most of them do."""

    reply_name: str
    # Statuses of the same misfortune.
    undecodable: int = 500
    undecodable_on_disk: int = 500
    unreachable_url: int = 400
    oversize: int = 400
    # Which requests are understood.
    demands_extension: bool = False
    post_takes_query: bool = True
    v2_trailing_slash: bool = False
    takes_prompt: bool = False
    takes_regions: bool = False
    scores_captions: bool = False
    lists_classes: bool = False
    # What an error looks like.
    model_info_in_errors: bool = False
    flask_error_handler: bool = False
    blames: str = "Failed to process uploaded image"
    # What happens to the picture.
    one_at_a_time: bool = False


_OWN_LIMIT = Traits("")
_FLASK_LIMIT = Traits("", oversize=500, flask_error_handler=True)
"""Leaves the size limit to Flask and turns Flask's 413 into an internal error of its own."""
_UPLOAD_ONLY_POST = Traits(
    "",
    undecodable=400,
    undecodable_on_disk=400,
    post_takes_query=False,
    model_info_in_errors=True,
    blames="Failed to load uploaded image",
)

TRAITS: dict[str, Traits] = {
    "blip": replace(
        _FLASK_LIMIT,
        reply_name="blip",
        demands_extension=True,
        undecodable_on_disk=400,
        blames="Internal error",
    ),
    "clip": replace(
        _FLASK_LIMIT,
        reply_name="clip",
        demands_extension=True,
        unreachable_url=500,
        v2_trailing_slash=True,
        scores_captions=True,
        blames="Internal error",
    ),
    "colors": replace(_OWN_LIMIT, reply_name="colors", takes_regions=True),
    "detectron2": replace(_FLASK_LIMIT, reply_name="detectron2", demands_extension=True, lists_classes=True),
    "face": replace(_OWN_LIMIT, reply_name="face", demands_extension=True),
    "inception_v3": replace(_FLASK_LIMIT, reply_name="inception", demands_extension=True, lists_classes=True),
    "metadata": replace(_UPLOAD_ONLY_POST, reply_name="metadata"),
    "nsfw2": replace(_OWN_LIMIT, reply_name="nsfw2"),
    "ocr": replace(_OWN_LIMIT, reply_name="ocr"),
    "ollama": replace(_OWN_LIMIT, reply_name="ollama", takes_prompt=True),
    "pose": replace(_UPLOAD_ONLY_POST, reply_name="pose", one_at_a_time=True),
    "rtdetr": replace(_OWN_LIMIT, reply_name="rtdetr"),
    "yolov8": replace(_FLASK_LIMIT, reply_name="yolo", lists_classes=True),
}


def traits_of(service: str) -> Traits:
    """The traits of a service; one that the farm does not know has the plain envelope under its own name."""
    return TRAITS.get(service) or Traits(service)
