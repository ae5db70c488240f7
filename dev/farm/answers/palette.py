"""The colours of a picture, named after the nearest marker of a small table of our own."""

import colorsys
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from dev.farm.pictures import Picture

_COOL, _WARM = {"B", "BG", "BV", "G", "YG", "C"}, {"R", "RV", "Y", "YR", "W"}
_THUMBNAIL = (64, 64)
_COLORS = 8

_TABLE = """
Snow White,C0,f6f7f8|Fog Gray,C2,d5dade|Pebble Gray,C4,aab2b8|Slate Gray,C6,7b858c|Graphite,C8,4a5157
Ink Black,C10,1b1c1e|Linen Gray,W1,e9e5df|Ash Gray,W3,c6c1b9|Stone Gray,W5,98928a|Mole Gray,W7,6c665f
Soot Black,W10,231f1c|Plain Gray,N5,8f8f8f|Deep Gray,N8,4f4f4f|Mist Blue,B0,dceaf4|Ice Blue,B12,b7daf0
Sky Blue,B23,8cc1e8|Harbour Blue,B26,5b97cc|Royal Blue,B28,2f5fae|Midnight Blue,B39,1e2f5c|Steel Blue,B94,5d7f9c
Aqua Mist,BG10,cfe9e6|Lagoon,BG13,8fd3d0|Sea Green,BG18,1f9a94|Deep Teal,BG49,0f5f63|Pine Teal,BG99,3d6b63
Pale Lilac,BV00,dcd6ec|Wisteria,BV13,a99bd1|Twilight Violet,BV17,6b5ca8|Night Violet,BV29,3a2f63
Mint,G12,cfe8c6|Spring Green,G14,8fcf8a|Meadow Green,G17,4fa658|Forest Green,G28,1e6b3a|Moss Shadow,G99,4b5f38
Lime Haze,YG01,e3ecb0|Young Leaf,YG13,c3d96a|Grass,YG17,7fb83c|Olive,YG67,7d8c4a|Bronze Olive,YG97,7f7330
Cream,Y00,fbf5cf|Lemon,Y08,f9e43c|Corn,Y17,f6c92b|Mustard,Y28,c99a2e|Apricot,YR02,f9d9b8|Melon,YR14,f6b45e
Tangerine,YR07,f0843a|Pumpkin,YR18,d9622a|Blush,R00,fbe3da|Coral,R14,ee8476|Poppy,R17,e4503f|Cardinal,R29,c8202f
Garnet,R59,7d1f2d|Petal Pink,RV02,f8d3de|Rose Pink,RV14,e980a6|Magenta,RV19,b8327c|Plum,RV99,553748
Almond,E00,f8e9dd|Sand,E33,efd0ae|Wheat,E35,dcb486|Clay,E17,b5673f|Chestnut,E09,c4743f|Walnut,E37,b07c48
Coffee,E47,7a5a40|Espresso,E49,4b3626|Driftwood,E74,9c8172|Dark Fig,E87,57493a|Taupe,T4,b3aca2|Pewter,T8,57534d
Neon Pink,FRV1,f58fc0|Neon Orange,FYR1,fdb46a
"""


@dataclass(frozen=True, slots=True)
class Marker:
    """A named colour; the letters of its code tell its temperature."""

    name: str
    code: str
    rgb: tuple[int, int, int]

    @property
    def hex(self) -> str:
        return "#{:02x}{:02x}{:02x}".format(*self.rgb)

    @property
    def temperature(self) -> str:
        letters = self.code.rstrip("0123456789")
        return "cool" if letters in _COOL else "warm" if letters in _WARM else "neutral"


def markers_of(picture: Picture) -> list[Marker]:
    """At most eight markers, each once, the most widespread colour first."""
    thumbnail = cv2.resize(picture.small, _THUMBNAIL, interpolation=cv2.INTER_AREA)
    reduced = Image.fromarray(thumbnail).quantize(_COLORS, method=Image.Quantize.MEDIANCUT)
    palette = np.asarray((reduced.getpalette() or [])[: 3 * _COLORS], dtype=np.int64).reshape(-1, 3)
    counts = np.bincount(np.asarray(reduced).ravel(), minlength=len(palette))
    shares: dict[Marker, int] = {}
    for rgb, count in zip(palette, counts[: len(palette)], strict=True):
        if count:
            marker = _nearest(rgb)
            shares[marker] = shares.get(marker, 0) + int(count)
    return sorted(shares, key=lambda marker: (-shares[marker], marker.code))


def tone(picture: Picture) -> str:
    """One common word for the most widespread colour."""
    red, green, blue = (channel / 255 for channel in markers_of(picture)[0].rgb)
    hue, lightness, saturation = colorsys.rgb_to_hls(red, green, blue)
    if saturation < 0.15 or not 0.1 < lightness < 0.93:
        return "black" if lightness < 0.25 else "white" if lightness > 0.8 else "gray"
    names = ("red", "orange", "yellow", "green", "green", "blue", "blue", "blue", "purple", "purple", "red", "red")
    return names[int(hue * len(names)) % len(names)]


def _nearest(rgb: npt.NDArray[np.int64]) -> Marker:
    markers, values = _markers()
    return markers[int(((values - rgb) ** 2).sum(axis=1).argmin())]


@cache
def _markers() -> tuple[tuple[Marker, ...], npt.NDArray[np.int64]]:
    entries = (entry.split(",") for line in _TABLE.strip().split("\n") for entry in line.split("|"))
    markers = tuple(
        Marker(name, code, (int(rgb[:2], 16), int(rgb[2:4], 16), int(rgb[4:], 16))) for name, code, rgb in entries
    )
    return markers, np.array([marker.rgb for marker in markers], dtype=np.int64)
