"""Label normalisation: services spell the same thing as in COCO, Open Images, VOC or ImageNet."""

import re
from functools import lru_cache

MAX_LABEL_LENGTH = 100
"""Characters; anything longer is text, not a label."""
MAX_EMOJI_LENGTH = 32
"""Characters; the longest emojis (families, flags) have fewer than half."""

_SPACE = re.compile(r"[\s_]+")
# Synonyms of COCO labels in other vocabularies; not hyponyms.
_SPELLINGS = {
    "airplane": "aeroplane, plane",
    "baseball glove": "baseball mitt",
    "bicycle": "bike, pushbike",
    "cell phone": "cellphone, mobile phone, mobile telephone, cellular telephone, smartphone",
    "couch": "sofa, sofa bed",
    "dining table": "diningtable, kitchen & dining room table",
    "donut": "doughnut",
    "hair drier": "hair dryer, hairdryer, hand blower, blow dryer",
    "hot dog": "hotdog",
    "keyboard": "computer keyboard",
    "microwave": "microwave oven",
    "motorcycle": "motorbike",
    "mouse": "computer mouse",
    "person": "human, people, persons",
    "potted plant": "pottedplant, houseplant",
    "refrigerator": "fridge",
    "remote": "remote control",
    "skis": "ski",
    "sports ball": "sportsball, ball",
    "teddy bear": "teddy, teddybear",
    "tennis racket": "racket, tennis racquet",
    "traffic light": "traffic signal, trafficlight",
    "tv": "television, television set, tvmonitor, tv monitor",
    "wine glass": "wineglass",
}
_KNOWN = {other: name for name, others in _SPELLINGS.items() for other in others.split(", ")}


def normalise_label(label: object) -> str:
    """The label in lower case, with spaces, under its COCO name; empty if it is not a label."""
    return _normalise(label) if isinstance(label, str) and len(label) <= MAX_LABEL_LENGTH else ""


def parse_emoji(value: object) -> str:
    """The emoji, or an empty string."""
    return value.strip() if isinstance(value, str) and len(value) <= MAX_EMOJI_LENGTH else ""


@lru_cache(maxsize=4096)
def _normalise(label: str) -> str:
    plain = _SPACE.sub(" ", label).strip().lower()
    return _KNOWN.get(plain, plain)
