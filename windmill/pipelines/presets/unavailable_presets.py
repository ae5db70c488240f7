"""Presets that Windmill does not ship, and what would have to be there first."""

from dataclasses import dataclass

from windmill.pipelines.presets.preset import Category


@dataclass(frozen=True)
class UnavailablePreset:
    """One that cannot be run yet."""

    id: str
    category: Category
    missing: str


UNAVAILABLE = (
    UnavailablePreset("image_to_video_v1", "video_generation", "an engine that makes a video of a picture"),
    UnavailablePreset("talking_clip_v1", "character_performance", "an engine that moves lips to a recording"),
    UnavailablePreset(
        "video_identity_consistency_v1", "character_performance", "an engine that keeps a face in a video"
    ),
    UnavailablePreset("ugc_clip_builder_v1", "hybrid_pipeline", "image_to_video_v1 and talking_clip_v1"),
)
