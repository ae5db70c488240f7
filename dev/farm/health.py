"""The `/health` replies of the services; their bodies share only `status`. Pure.

A stand-in is healthy unless a fault says otherwise. How a service reports that it is not is part of its contract.
"""

from dataclasses import replace
from datetime import datetime
from typing import Any

from dev.farm.contract import FRAMEWORK
from dev.farm.replies import StandInReply, json_reply

_REASON = "Model not loaded"
_BY_URL = "GET /v3/analyze?url=<image_url> - picture by URL"
_BY_FILE = "GET /v3/analyze?file=<file_path> - picture by path"
_UPLOAD = "POST /analyze - picture by upload"
_HEALTH = "GET /health - this page"
_OLD_URL = "GET /v2/analyze?image_url=<image_url> - deprecated"
_OLD_FILE = "GET /v2/analyze_file?file_path=<file_path> - deprecated"
_ENDPOINTS = [_HEALTH, _BY_URL, _BY_FILE, _UPLOAD, _OLD_URL, _OLD_FILE]

_MODEL_STATUS: dict[str, dict[str, Any]] = {
    "blip": {"device": "cpu"},
    "clip": {"device": "cpu", "num_labels": 80},
    "inception_v3": {
        "confidence_threshold": 0.15,
        "framework": FRAMEWORK,
        "imagenet_classes_loaded": "handled_by_the_stand_in",
        "model": "stand-in for Inception v3",
    },
}
"""Services with a `model_status` in addition to `status`."""

_TIMESTAMPED: dict[str, dict[str, Any]] = {
    "face": {
        "service": "face",
        "capabilities": ["face_detection", "facial_keypoints"],
        "models": {
            "face_detection": {
                "fairness": "not a model",
                "keypoints": 6,
                "model": FRAMEWORK,
                "status": "ready",
                "version": "1",
            }
        },
    },
    "pose": {
        "service": "pose",
        "capabilities": ["pose_estimation", "joint_analysis"],
        "models": {
            "pose_estimation": {
                "complexity": 1,
                "landmarks": 33,
                "model": FRAMEWORK,
                "status": "ready",
                "version": "1",
            }
        },
        "supported_poses": ["standing", "sitting", "unknown"],
    },
    "detectron2": {
        "service": "detectron2",
        "capabilities": ["object_detection", "bbox_extraction"],
        "models": {
            "object_detection": {
                "classes_loaded": 81,
                "confidence_threshold": 0.5,
                "framework": FRAMEWORK,
                "status": "ready",
            }
        },
        "supported_classes": 81,
    },
}
"""Services that list capabilities and the time."""

_TITLED: dict[str, dict[str, Any]] = {
    "colors": {
        "service": "Color Analysis",
        "features": {
            "analysis_types": ["dominant_color", "color_palette"],
            "color_systems": ["Copic"],
            "supported_formats": ["JPEG", "PNG", "GIF", "BMP"],
        },
    },
    "metadata": {
        "service": "Metadata Extraction",
        "extraction_engines": {
            "exiftool": {"available": True, "status": "Available"},
            "pil_pillow": {"available": True, "status": "Available"},
        },
        "features": {
            "advanced_analysis": {
                "accessibility": ["orientation_analysis"],
                "color_properties": ["saturation_analysis"],
                "composition": ["aspect_ratio", "rule_of_thirds", "symmetry_analysis"],
                "image_quality": ["blur_detection", "exposure_analysis"],
            },
            "extraction_methods": ["image_properties"],
            "metadata_categories": ["image", "technical"],
            "supported_formats": ["JPEG", "PNG", "GIF", "WEBP"],
        },
    },
    "nsfw2": {
        "service": "NSFW2 Detection",
        "model": {"framework": FRAMEWORK, "model_type": "stand-in", "status": "loaded", "threshold": 50.0},
    },
    "ocr": {
        "service": "OCR Text Recognition",
        "features": {
            "gpu_acceleration": False,
            "high_accuracy": False,
            "multilingual_support": False,
            "text_angle_classification": False,
        },
        "ocr_engine": {
            "gpu_enabled": False,
            "languages": ["English"],
            "status": "loaded",
            "version": FRAMEWORK,
        },
    },
    "ollama": {
        "service": "Ollama LLM Integration",
        "available_models": {"code": [], "other": [], "text": [FRAMEWORK], "vision": [FRAMEWORK]},
        "features": {
            "image_analysis": True,
            "model_selection": True,
            "streaming": False,
            "text_generation": False,
        },
        "ollama": {
            "default_text_model": FRAMEWORK,
            "default_vision_model": FRAMEWORK,
            "host": "http://127.0.0.1",
            "status": "connected",
        },
    },
    "rtdetr": {
        "service": "RT-DETR Object Detection",
        "emoji_service": "local_file",
        "model": {"device": "cpu", "name": FRAMEWORK, "status": "loaded"},
    },
    "yolov8": {
        "service": "YOLOv8 Object Detection",
        "confidence_threshold": 0.25,
        "iou_threshold": 0.3,
        "model": {"device": "cpu", "model_name": FRAMEWORK, "status": "loaded"},
        "supported_classes": 80,
    },
}
"""Services that give a human title and the state of what they run on."""


def health(service: str, *, healthy: bool, now: datetime, framework: str = FRAMEWORK) -> StandInReply:
    """The health reply of a service; that of an unknown service has its name and status. `framework` is what answers
    for it."""
    if service in _MODEL_STATUS:
        said = _model_status(service, healthy)
    elif service in _TIMESTAMPED:
        said = _timestamped(service, healthy, now)
    else:
        said = _titled(service, healthy)
    return replace(said, body=said.body.replace(FRAMEWORK.encode(), framework.encode()))


def _model_status(service: str, healthy: bool) -> StandInReply:
    # BLIP and CLIP call themselves healthy even when the model failed to load; only Inception answers 503.
    says_so = not healthy and service == "inception_v3"
    body = {
        "status": "unhealthy" if says_so else "healthy",
        "model_status": "loaded" if healthy else "not_loaded",
    }
    return json_reply(503 if says_so else 200, body | _MODEL_STATUS[service])


def _timestamped(service: str, healthy: bool, now: datetime) -> StandInReply:
    if not healthy and service != "face":
        return json_reply(503, {"status": "unhealthy", "service": service, "error": _REASON})
    # Detectron2 alone gives its time as a number.
    stamp = now.timestamp() if service == "detectron2" else now.replace(tzinfo=None).isoformat()
    body = {"status": "healthy" if healthy else "degraded", "timestamp": stamp, "endpoints": _ENDPOINTS}
    return json_reply(200, body | _TIMESTAMPED[service])


def _titled(service: str, healthy: bool) -> StandInReply:
    details = _TITLED.get(service, {"service": service})
    if healthy or service == "colors":
        return json_reply(200, {"status": "healthy", "endpoints": _ENDPOINTS} | details)
    if service == "metadata":
        return json_reply(200, {"status": "degraded", "endpoints": _ENDPOINTS} | details)
    return json_reply(503, {"status": "unhealthy", "reason": _REASON, "service": details["service"]})
