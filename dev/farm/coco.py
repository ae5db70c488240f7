"""The 80 COCO labels: their ids, families, usual sizes and shapes, and which ones get mistaken for which."""

from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True, slots=True)
class ObjectKind:
    """A label; size is its usual side as a fraction of the picture's, aspect its usual width over height."""

    category_id: int
    name: str
    family: str
    size: float
    aspect: float


_TABLE = """
1 person person .30 .45|2 bicycle vehicle .22 1.5|3 car vehicle .20 1.7
4 motorcycle vehicle .24 1.4|5 airplane vehicle .34 2.2|6 bus vehicle .36 1.5
7 train vehicle .42 2.0|8 truck vehicle .30 1.5|9 boat vehicle .22 1.7
10 traffic_light outdoor .09 .45|11 fire_hydrant outdoor .17 .6|13 stop_sign outdoor .17 1.0
14 parking_meter outdoor .17 .45|15 bench outdoor .25 1.8|16 bird animal .13 1.1
17 cat animal .30 1.1|18 dog animal .28 1.0|19 horse animal .30 1.1
20 sheep animal .18 1.2|21 cow animal .24 1.4|22 elephant animal .38 1.2
23 bear animal .38 1.1|24 zebra animal .32 1.1|25 giraffe animal .36 .6
27 backpack accessory .12 .85|28 umbrella accessory .22 1.3|31 handbag accessory .12 .95
32 tie accessory .10 .35|33 suitcase accessory .20 .85|34 frisbee sports .08 1.4
35 skis sports .14 1.9|36 snowboard sports .17 1.7|37 sports_ball sports .06 1.0
38 kite sports .13 1.1|39 baseball_bat sports .09 1.0|40 baseball_glove sports .08 1.0
41 skateboard sports .12 2.0|42 surfboard sports .22 1.9|43 tennis_racket sports .13 .9
44 bottle kitchen .12 .38|46 wine_glass kitchen .13 .5|47 cup kitchen .12 .95
48 fork kitchen .12 1.3|49 knife kitchen .12 1.5|50 spoon kitchen .11 1.3
51 bowl kitchen .18 1.5|52 banana food .16 1.3|53 apple food .12 1.0
54 sandwich food .24 1.4|55 orange food .13 1.0|56 broccoli food .17 1.1
57 carrot food .14 1.4|58 hot_dog food .23 1.7|59 pizza food .34 1.5
60 donut food .16 1.2|61 cake food .24 1.2|62 chair furniture .20 .85
63 couch furniture .36 1.7|64 potted_plant furniture .18 .85|65 bed furniture .50 1.5
67 dining_table furniture .46 1.7|70 toilet furniture .28 .8|72 tv electronic .22 1.4
73 laptop electronic .26 1.3|74 mouse electronic .08 1.3|75 remote electronic .09 .9
76 keyboard electronic .20 2.4|77 cell_phone electronic .11 .7|78 microwave appliance .20 1.6
79 oven appliance .32 .95|80 toaster appliance .16 1.3|81 sink appliance .22 1.6
82 refrigerator appliance .40 .55|84 book indoor .11 1.0|85 clock indoor .11 1.0
86 vase indoor .15 .55|87 scissors indoor .14 1.0|88 teddy_bear indoor .24 .85
89 hair_drier indoor .17 1.0|90 toothbrush indoor .12 1.3
"""


def _kind(row: str) -> ObjectKind:
    number, name, family, size, aspect = row.split()
    return ObjectKind(int(number), name.replace("_", " "), family, float(size), float(aspect))


KINDS: dict[str, ObjectKind] = {
    kind.name: kind for kind in (_kind(row) for line in _TABLE.strip().split("\n") for row in line.split("|"))
}
LABELS: tuple[str, ...] = tuple(KINDS)

_LOOKALIKES = (
    ("car", "truck", "bus"),
    ("bicycle", "motorcycle"),
    ("cat", "dog", "teddy bear"),
    ("horse", "cow", "sheep", "zebra"),
    ("bear", "elephant", "dog"),
    ("cup", "bowl", "wine glass", "bottle", "vase"),
    ("chair", "couch", "bench", "bed"),
    ("fork", "knife", "spoon", "toothbrush"),
    ("backpack", "handbag", "suitcase"),
    ("skis", "snowboard", "surfboard", "skateboard"),
    ("apple", "orange", "sports ball"),
    ("sandwich", "hot dog", "pizza", "cake", "donut"),
    ("tv", "laptop", "microwave", "oven"),
    ("remote", "cell phone", "mouse", "keyboard", "book"),
    ("kite", "umbrella", "bird", "airplane"),
    ("frisbee", "sports ball", "clock"),
    ("parking meter", "fire hydrant", "traffic light", "stop sign"),
    ("broccoli", "potted plant"),
    ("sink", "toilet", "bowl"),
    ("train", "bus"),
    ("person", "teddy bear"),
)


@cache
def lookalikes(label: str) -> tuple[str, ...]:
    """Labels a detector takes this one for: its lookalikes, else the rest of its family."""
    near = sorted({other for group in _LOOKALIKES if label in group for other in group} - {label})
    family = KINDS[label].family
    return tuple(near or [k.name for k in KINDS.values() if k.family == family and k.name != label])
