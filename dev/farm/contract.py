"""How each of the 13 services handles a request, as data: API version 3.

The services differ only in these traits; the same code serves all of them.
"""

from dataclasses import dataclass, replace

FRAMEWORK = "windmill-farm"
"""Every stand-in names this framework in `model_info`, so that it is not taken for a model."""

NO_MODEL = "none"
"""The framework of a service that has to be real and has no model."""

MAX_BYTES = 8 * 1024 * 1024
IMAGE_EXTENSIONS = frozenset({"png", "jpg", "jpeg", "gif", "bmp", "webp"})
ANALYZE_PATHS = frozenset({"/analyze", "/v3/analyze"})
SCORE_PATHS = frozenset({"/score", "/v3/score"})
DEPRECATED = {"/v2/analyze": ("image_url", "url"), "/v2/analyze_file": ("file_path", "file")}
"""Deprecated path -> its parameter, and the current parameter with the same meaning."""
HEALTH_PATH = "/health"
CLASSES_PATH = "/classes"
SHINY_CHANCE = 1 / 2500


@dataclass(frozen=True)
class Traits:
    """The traits of one service; defaults are those of most services."""

    reply_name: str
    # Statuses for errors.
    undecodable: int = 500
    undecodable_on_disk: int = 500
    unreachable_url: int = 400
    oversize: int = 400
    # Which requests are accepted.
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
    # How the picture is processed.
    one_at_a_time: bool = False


_OWN_LIMIT = Traits("")
_FLASK_LIMIT = Traits("", oversize=500, flask_error_handler=True)
"""Leaves the size limit to Flask and reports Flask's 413 as an internal error."""
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
    """The traits of a service; an unknown one has the plain envelope under its own name."""
    return TRAITS.get(service) or Traits(service)
