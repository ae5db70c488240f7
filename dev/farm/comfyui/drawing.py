"""What the nodes of the stand-in do. Pictures are arrays of floats from 0 to 1: batch, height, width, colour.

A checkpoint is none: its sampler draws from seed and texts, so that another seed gives another picture.
"""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

Pixels = npt.NDArray[np.float32]
Values = Mapping[str, Any]
OnStep = Callable[[int, int], None]
_METHODS = {
    "nearest-exact": cv2.INTER_NEAREST,
    "bilinear": cv2.INTER_LINEAR,
    "area": cv2.INTER_AREA,
    "bicubic": cv2.INTER_CUBIC,
    "lanczos": cv2.INTER_LANCZOS4,
}
_LATENT_CELL = 8


def execute(class_type: str, values: Values, inputs: Path, on_step: OnStep) -> tuple[object, ...]:
    """The outputs of a node that saves nothing."""
    if class_type == "LoadImage":
        picture = _load(inputs / values["image"])
        return picture, 1 - picture[..., 0]
    if class_type == "KSampler":
        return (_sample(values, on_step),)
    return _NODES[class_type](values)


def to_picture(pixels: Pixels) -> Image.Image:
    """One picture of a batch."""
    return Image.fromarray(np.uint8(np.clip(pixels, 0, 1) * 255))


def _load(path: Path) -> Pixels:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"), np.float32)[None] / np.float32(255)


def _empty(values: Values) -> tuple[object, ...]:
    color = [(int(values["color"]) >> shift & 0xFF) / 255 for shift in (16, 8, 0)]
    shape = (int(values["batch_size"]), int(values["height"]), int(values["width"]), 1)
    return (np.tile(np.array(color, np.float32), shape),)


def _noise(values: Values) -> tuple[object, ...]:
    dice = np.random.default_rng(int(values["seed"]))
    grain = dice.standard_normal(values["image"].shape, np.float32)
    return (np.clip(values["image"] + float(values["strength"]) * grain, 0, 1),)


def _blur(values: Values) -> tuple[object, ...]:
    return (_blurred(values["image"], values["blur_radius"], values["sigma"]),)


def _sharpen(values: Values) -> tuple[object, ...]:
    image = values["image"]
    soft = _blurred(image, values["sharpen_radius"], values["sigma"])
    return (np.clip(image + float(values["alpha"]) * (image - soft), 0, 1),)


def _blurred(image: Pixels, radius: int, sigma: float) -> Pixels:
    side = 2 * radius + 1
    soft: list[Pixels] = [cv2.GaussianBlur(one, (side, side), sigma).astype(np.float32) for one in image]
    return np.stack(soft)


def _blend(values: Values) -> tuple[object, ...]:
    below, above, factor = values["image1"], values["image2"], float(values["blend_factor"])
    if below.shape != above.shape:
        above = _resized(above, below.shape[2], below.shape[1], "bicubic")
    modes: dict[str, Callable[[], Pixels]] = {
        "normal": lambda: above,
        "multiply": lambda: below * above,
        "screen": lambda: 1 - (1 - below) * (1 - above),
        "overlay": lambda: np.where(below <= 0.5, 2 * below * above, 1 - 2 * (1 - below) * (1 - above)),
        "soft_light": lambda: below - (1 - 2 * above) * below * (1 - below),
        "difference": lambda: below - above,
    }
    return (np.clip(below * (1 - factor) + modes[values["blend_mode"]]() * factor, 0, 1),)


def _quantize(values: Values) -> tuple[object, ...]:
    dither = Image.Dither.NONE if values["dither"] == "none" else Image.Dither.FLOYDSTEINBERG
    few = [to_picture(one).quantize(int(values["colors"]), dither=dither).convert("RGB") for one in values["image"]]
    return (np.stack([np.asarray(one, np.float32) / 255 for one in few]),)


def _scale(values: Values) -> tuple[object, ...]:
    image = values["image"]
    height, width = image.shape[1:3]
    wanted = int(values["width"]), int(values["height"])
    if wanted == (0, 0):
        return (image,)
    new_width = wanted[0] or max(1, round(width * wanted[1] / height))
    new_height = wanted[1] or max(1, round(height * wanted[0] / width))
    return (_resized(image, new_width, new_height, values["upscale_method"]),)


def _scale_by(values: Values) -> tuple[object, ...]:
    image, factor = values["image"], float(values["scale_by"])
    sides = max(1, round(image.shape[2] * factor)), max(1, round(image.shape[1] * factor))
    return (_resized(image, *sides, values["upscale_method"]),)


def _resized(image: Pixels, width: int, height: int, method: str) -> Pixels:
    resized = [cv2.resize(one, (width, height), interpolation=_METHODS[method]) for one in image]
    within: Pixels = np.clip(np.stack(resized), 0, 1)
    return within


def _crop(values: Values) -> tuple[object, ...]:
    left, top = int(values["x"]), int(values["y"])
    return (values["image"][:, top : top + int(values["height"]), left : left + int(values["width"])],)


def _latent(values: Values) -> tuple[object, ...]:
    sides = int(values["height"]) // _LATENT_CELL, int(values["width"]) // _LATENT_CELL
    return (np.zeros((int(values["batch_size"]), *sides, 3), np.float32),)


def _sample(values: Values, on_step: OnStep) -> Pixels:
    """Noise that says which seed and texts it is of; the more steps, the smoother."""
    steps, latent = int(values["steps"]), values["latent_image"]
    decisive = repr([values[name] for name in ("seed", "cfg", "sampler_name", "scheduler", "positive", "negative")])
    dice = np.random.default_rng(list(hashlib.sha256(decisive.encode()).digest()))
    noise = dice.random(latent.shape, np.float32)
    for step in range(1, steps + 1):
        on_step(step, steps)
    share = np.float32(values["denoise"])
    mixed: Pixels = latent * (1 - share) + noise * share
    return mixed


def _decode(values: Values) -> tuple[object, ...]:
    height, width = (side * _LATENT_CELL for side in values["samples"].shape[1:3])
    return (_resized(values["samples"], width, height, "bicubic"),)


def _encode(values: Values) -> tuple[object, ...]:
    height, width = (max(1, side // _LATENT_CELL) for side in values["pixels"].shape[1:3])
    return (_resized(values["pixels"], width, height, "area"),)


def _twice(values: Values) -> tuple[object, ...]:
    image = values["image"]
    return (_resized(image, image.shape[2] * 4, image.shape[1] * 4, "lanczos"),)


_NODES: dict[str, Callable[[Values], tuple[object, ...]]] = {
    "EmptyImage": _empty,
    "ImageInvert": lambda values: (1 - values["image"],),
    "ImageAddNoise": _noise,
    "ImageBlur": _blur,
    "ImageSharpen": _sharpen,
    "ImageBlend": _blend,
    "ImageQuantize": _quantize,
    "ImageScale": _scale,
    "ImageScaleBy": _scale_by,
    "ImageCrop": _crop,
    "CheckpointLoaderSimple": lambda values: (values["ckpt_name"],) * 3,
    "CLIPTextEncode": lambda values: (values["text"],),
    "EmptyLatentImage": _latent,
    "VAEDecode": _decode,
    "VAEEncode": _encode,
    "UpscaleModelLoader": lambda values: (values["model_name"],),
    "ImageUpscaleWithModel": _twice,
}
