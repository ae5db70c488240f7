"""One spelling for each label: services write the same thing in the manner of COCO, Open Images, VOC or ImageNet."""

import re
from functools import lru_cache

LONGEST = 100
"""Characters; what is longer is no label but a text."""
LONGEST_EMOJI = 32
"""Characters; the longest emoji of families and flags have fewer than half of it."""

_SPACE = re.compile(r"[\s_]+")
# What each of the COCO labels is called elsewhere, where that is one thing under two names and not a kind of it.
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


def normalised(label: object) -> str:
    """The label in small letters and with spaces, under its usual name; empty when it is none."""
    return _normalised(label) if isinstance(label, str) and len(label) <= LONGEST else ""


def emoji_of(value: object) -> str:
    """The emoji, or nothing."""
    return value.strip() if isinstance(value, str) and len(value) <= LONGEST_EMOJI else ""


@lru_cache(maxsize=4096)
def _normalised(label: str) -> str:
    plain = _SPACE.sub(" ", label).strip().lower()
    return _KNOWN.get(plain, plain)
