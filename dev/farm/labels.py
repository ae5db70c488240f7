"""What `/classes` lists: the labels that a service can name."""

from dev.farm.coco import LABELS


def class_names(service: str) -> list[str]:
    """Detectron2 counts a background class; Inception writes labels with underscores."""
    if service == "detectron2":
        return ["background", *LABELS]
    if service == "inception_v3":
        return [label.replace(" ", "_") for label in LABELS]
    return list(LABELS)
