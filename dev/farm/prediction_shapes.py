"""What one prediction of each service holds, as shapes. All may carry `shiny`."""

from dev.farm.shapes import Shape

_BOX = {"x": "integer", "y": "integer", "width": "integer", "height": "integer"}
_POINT = ("integer", "integer")
_MAPPING = {"word": "string", "emoji": "string", "shiny?": "boolean"}
_LABELLED = {"label": "string", "confidence": "number", "emoji?": "string"}
_DETECTION = _LABELLED | {"bbox": _BOX}
_COLOR = {
    "hex": "string",
    "temperature": "string",
    "copic?": "string",
    "prismacolor?": "string",
    "prismacolor_pencils?": "string",
}
_KEYPOINTS = ("right_eye", "left_eye", "nose_tip", "mouth_center", "right_ear_tragion", "left_ear_tragion")
_FACE_PARTS = ("eye_inner", "eye", "eye_outer", "ear")
_ARM_PARTS = ("shoulder", "elbow", "wrist", "pinky", "index", "thumb")
_LEG_PARTS = ("hip", "knee", "ankle", "heel", "foot_index")
LANDMARKS = (
    "nose",
    "mouth_left",
    "mouth_right",
    *(f"{side}_{part}" for side in ("left", "right") for part in _FACE_PARTS + _ARM_PARTS + _LEG_PARTS),
)
_LANDMARK = {"x": "number", "y": "number", "z": "number", "visibility": "number"}
_JOINTS = ("left_elbow", "right_elbow", "left_knee", "right_knee")
_QUALITY = {
    "blur_analysis": ("laplacian_variance", "sharpness_score"),
    "contrast_analysis": ("brightness_variation", "contrast_quality", "contrast_score", "dynamic_range"),
    "exposure_analysis": (
        "bright_pixel_ratio",
        "dark_pixel_ratio",
        "exposure_quality",
        "histogram_balance",
    ),
    "lighting_analysis": ("lighting_quality", "mean_brightness"),
}


def _numbers(*names: str) -> dict[str, Shape]:
    return dict.fromkeys(names, "number")


_METADATA = {
    "dimensions": {"width": "integer", "height": "integer"},
    "aspect_ratio": {"category": "string", "ratio": "number"},
    "file": {"file_size": "integer", "file_type": "string"},
    "color_properties": {"saturation_analysis": _numbers("average_saturation", "saturation_level")},
    "composition": {
        "complexity_analysis": _numbers("complexity_level", "edge_density"),
        "rule_of_thirds": {"most_interesting_section": "integer", "section_brightness": ("number",) * 9},
        "symmetry_analysis": _numbers("horizontal_symmetry_score", "symmetry_level"),
    },
    "image_quality": {name: _numbers(*parts) for name, parts in _QUALITY.items()},
    "exif_data?": {"*": "any"},
    "gps_data?": {"*": "any"},
    "file_hash?": "string",
    "phash?": "string",
}

_PREDICTIONS: dict[str, dict[str, Shape]] = {
    "blip": {"text": "string", "emoji_mappings": [_MAPPING]},
    "ollama": {"text": "string", "emoji_mappings?": [_MAPPING]},
    "clip": _LABELLED,
    "inception_v3": _LABELLED,
    "detectron2": _LABELLED | {"bbox?": _BOX},
    "rtdetr": _DETECTION,
    "yolov8": _DETECTION,
    "face": {
        "label": "string",
        "confidence": "number",
        "emoji": "string",
        "bbox": ("integer",) * 4,
        "keypoints": dict.fromkeys(_KEYPOINTS, _POINT),
    },
    "pose": {
        "landmarks": dict.fromkeys(LANDMARKS, _LANDMARK),
        "pose_analysis": {"joint_angles": _numbers(*_JOINTS)},
    },
    "nsfw2": {"confidence": "number", "emoji": "string", "nsfw": "boolean"},
    "ocr": {
        "text": "string",
        "has_text": "boolean",
        "emoji": "string",
        "emoji_mappings": [_MAPPING],
        "text_regions": [{"text": "string", "confidence": "number", "bbox": _BOX}],
    },
    "colors": {"primary": _COLOR, "palette": {"temperature": "string", "colors": [_COLOR]}},
    "metadata": _METADATA,
}


def prediction_shape(service: str) -> Shape:
    """The shape of one prediction; that of a service which is not among the 13 may be any object."""
    if service not in _PREDICTIONS:
        return {"*": "any"}
    return _PREDICTIONS[service] | {"shiny?": "boolean"}
