"""metadata: measured values, with the quirks of the service that re-encodes every picture before looking at it."""

import hashlib
import math
from datetime import UTC, datetime

import cv2
import numpy as np
import numpy.typing as npt

from dev.farm.answers.dice import Prediction
from dev.farm.pictures import BrokenImage, Picture, Pixels

_Gray = npt.NDArray[np.uint8]
_COMMON_RATIOS = (0.5, 0.6, 0.7, 0.8, 1.0, 1.2, 1.3, 1.5, 1.8, 2.0)
_DARK, _BRIGHT = 50, 200
_REENCODED_QUALITY = 75


def answer(picture: Picture, seed: int) -> list[Prediction]:  # noqa: ARG001 - pixels decide, no dice
    """One prediction of nested numbers. Transparent pictures are refused, as the temporary file is a JPEG."""
    if picture.mode in {"RGBA", "LA", "PA"}:
        raise BrokenImage(f"cannot write mode {picture.mode} as JPEG")
    return measured(picture)


def measured(picture: Picture) -> list[Prediction]:
    """The same of any picture."""
    gray = _gray(picture.rgb)
    return [
        {
            "dimensions": {"width": picture.width, "height": picture.height},
            "aspect_ratio": _aspect_ratio(picture.width, picture.height),
            "file": {"file_size": _reencoded_size(picture.rgb), "file_type": "jpeg"},
            "color_properties": {"saturation_analysis": _saturation(picture.small)},
            "composition": {
                "complexity_analysis": _complexity(gray),
                "rule_of_thirds": _thirds(gray),
                "symmetry_analysis": _symmetry(gray),
            },
            "image_quality": _quality(gray),
            "file_hash": hashlib.sha256(picture.data).hexdigest(),
            "phash": _perceptual_hash(gray),
            "exif_data": _temporary_file_times(datetime.now(UTC)),
        }
    ]


def _gray(rgb: Pixels) -> _Gray:
    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), dtype=np.uint8)


def _perceptual_hash(gray: _Gray) -> str:
    """64 bits that hardly change with size and compression: which of the lowest frequencies are above their median."""
    small = cv2.resize(gray, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32)
    lowest = np.round(np.asarray(cv2.dct(small))[:8, :8], 2)
    bits = (lowest > np.median(lowest)).ravel()
    return f"{int.from_bytes(np.packbits(bits).tobytes(), 'big'):016x}"


def _aspect_ratio(width: int, height: int) -> dict[str, object]:
    exact = width / height
    ratio = min(_COMMON_RATIOS, key=lambda common: abs(common - exact)) if 0.5 <= exact <= 2 else round(exact, 1)
    category = "portrait" if ratio < 0.8 else "landscape" if ratio > 1.2 else "square"
    return {"category": category, "ratio": ratio}


def _reencoded_size(rgb: Pixels) -> int:
    bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    return len(cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _REENCODED_QUALITY])[1])


def _saturation(rgb: Pixels) -> dict[str, float]:
    average = round(cv2.mean(cv2.cvtColor(rgb, cv2.COLOR_RGB2HSV))[1], 1)
    return {"average_saturation": average, "saturation_level": average}


def _complexity(gray: _Gray) -> dict[str, float]:
    density = cv2.countNonZero(cv2.Canny(gray, 100, 200)) / gray.size
    return {"complexity_level": round(100 * density, 1), "edge_density": round(density, 3)}


def _thirds(gray: _Gray) -> dict[str, object]:
    """Nine sections; under three pixels a side they are empty and their mean is no number."""
    height, width = gray.shape[0] // 3, gray.shape[1] // 3
    if not (height and width):
        return {"most_interesting_section": 0, "section_brightness": [math.nan] * 9}
    sections = [
        cv2.meanStdDev(gray[row * height : (row + 1) * height, col * width : (col + 1) * width])
        for row in range(3)
        for col in range(3)
    ]
    contrasts = [float(np.ravel(spread)[0]) for _, spread in sections]
    return {
        "most_interesting_section": contrasts.index(max(contrasts)),
        "section_brightness": [round(float(np.ravel(mean)[0]), 1) for mean, _ in sections],
    }


def _symmetry(gray: _Gray) -> dict[str, float]:
    half = gray.shape[1] // 2
    if not half:
        return {"horizontal_symmetry_score": math.nan, "symmetry_level": math.nan}
    mirrored = cv2.flip(gray[:, gray.shape[1] - half :], 1)
    score = 1 - cv2.mean(cv2.absdiff(np.ascontiguousarray(gray[:, :half]), mirrored))[0] / 255
    return {"horizontal_symmetry_score": round(score, 3), "symmetry_level": round(100 * score, 1)}


def _quality(gray: _Gray) -> dict[str, object]:
    mean, spread = (float(np.ravel(value)[0]) for value in cv2.meanStdDev(gray))
    sharpness = float(np.ravel(cv2.meanStdDev(cv2.Laplacian(gray, cv2.CV_16S))[1])[0]) ** 2
    counts = np.bincount(gray.ravel(), minlength=256)
    dark, bright = counts[:_DARK].sum() / gray.size, counts[_BRIGHT + 1 :].sum() / gray.size
    return {
        "blur_analysis": {
            "laplacian_variance": round(sharpness, 2),
            "sharpness_score": round(min(sharpness / 1000, 1.0), 3),
        },
        "contrast_analysis": {
            "brightness_variation": round(spread, 2),
            "contrast_quality": round(100 * spread / 256, 1),
            "contrast_score": round(spread / 64, 2),
            "dynamic_range": round(spread, 2),
        },
        "exposure_analysis": {
            "bright_pixel_ratio": round(float(bright), 3),
            "dark_pixel_ratio": round(float(dark), 3),
            "exposure_quality": round(100 * float(1 - dark - bright), 1),
            "histogram_balance": round(spread, 2),
        },
        "lighting_analysis": {"lighting_quality": round(mean, 2), "mean_brightness": round(mean, 2)},
    }


def _temporary_file_times(now: datetime) -> dict[str, str]:
    """All that is left of the EXIF data: when the temporary file was written."""
    stamp = f"{now:%Y:%m:%d %H:%M:%S}+00:00"
    return {f"File:File{event}Date": stamp for event in ("Access", "InodeChange", "Modify")}
