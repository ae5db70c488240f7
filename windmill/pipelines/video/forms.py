"""What the steps on videos are given, take and make, as presets see them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from windmill.kernels.pictures.color_grading import LOOKS
from windmill.kernels.video.styles import STYLES
from windmill.pipelines.values import FileType, ValueSpec

X264_PRESETS = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow")


@dataclass(frozen=True)
class VideoForm:
    """A step as presets see it. `weight` is its share of a job's progress."""

    name: str
    description: str
    inputs: Mapping[str, FileType]
    produces: FileType
    parameters: Mapping[str, ValueSpec] = field(default_factory=dict)
    takes_engine: bool = False
    weight: float = 1.0
    version: int = 1


PLAN = VideoForm(
    "video_plan",
    "checks a video, and cuts it at keyframes; a picture becomes a clip",
    {"video": "footage"},
    "segments",
    {
        "segment_seconds": ValueSpec("number", "about how long a segment is", default=6, minimum=1, maximum=60),
        "still_seconds": ValueSpec("number", "how long a picture is shown", default=4, minimum=0.1, maximum=60),
    },
    weight=5,
)
ENCODE = VideoForm(
    "video_encode",
    "draws, filters and encodes each segment; an engine may make the frames",
    {"segments": "segments"},
    "pieces",
    {
        "prompt": ValueSpec("text", "for an engine"),
        "style": ValueSpec("choice", "how it is drawn", choices=tuple(STYLES)),
        "seed": ValueSpec("seed", "the same seed gives the same frames", default=0),
        "deflicker": ValueSpec(
            "integer", "frames to even brightness over; 0 for none", default=0, minimum=0, maximum=31
        ),
        "denoise": ValueSpec("number", "how much noise is removed", default=0, minimum=0, maximum=1),
        "scale": ValueSpec("number", "how many times as long sides", default=1, minimum=0.125, maximum=8),
        "sharpen": ValueSpec("number", "how much details are sharpened", default=0, minimum=0, maximum=1.5),
        "look": ValueSpec("choice", "a named look", choices=tuple(LOOKS), default="neutral"),
        "tone_map": ValueSpec("boolean", "bring bright and dark parts closer", default=False),
        "grain": ValueSpec("number", "how strong the grain of film is", default=0, minimum=0, maximum=1),
        "x264_preset": ValueSpec("choice", "slower is smaller", choices=X264_PRESETS, default="veryfast"),
        "crf": ValueSpec("number", "quality; less is better", default=20, minimum=0, maximum=51),
        "max_fps": ValueSpec(
            "number", "frames a second that an engine is given; 0 for all", default=0, minimum=0, maximum=240
        ),
        "scene_change": ValueSpec(
            "number", "with max_fps: a change so great is given, too; 0 for none", default=0.3, minimum=0, maximum=1
        ),
        "measure_quality": ValueSpec(
            "boolean", "compare each segment with the source: SSIM and flicker, in quality.json", default=False
        ),
        "frame_pipe": ValueSpec("boolean", "hand each frame through the worker", default=False),
    },
    takes_engine=True,
    weight=50,
)
SAMPLE = VideoForm(
    "video_sample",
    "takes pictures of a video to look at: so many a second, and where the scene changes",
    {"segments": "segments"},
    "frames",
    {
        "max_fps": ValueSpec("number", "pictures a second; 0 for each frame", default=4, minimum=0, maximum=240),
        "scene_change": ValueSpec(
            "number", "a change so great ends a scene; 0 for none", default=0.3, minimum=0, maximum=1
        ),
        "longest_side": ValueSpec(
            "integer", "larger pictures are made so small; 0 for none", default=1_280, minimum=0, maximum=16_384
        ),
    },
    weight=15,
)
DETECT = VideoForm(
    "video_detect",
    "has services look at the pictures, and merges their boxes",
    {"frames": "frames"},
    "detections",
    {
        "services": ValueSpec(
            "text", "who looks: services and sets, with commas between", default="detectors", min_length=1
        ),
    },
    takes_engine=True,
    weight=60,
)
TRACK = VideoForm(
    "video_track",
    "finds out which boxes are the same thing, and counts",
    {"detections": "detections"},
    "tracks",
    {
        "least_score": ValueSpec("number", "less sure boxes are left out", default=0.25, minimum=0, maximum=1),
        "sure_score": ValueSpec("number", "so sure is a box that begins a track", default=0.5, minimum=0, maximum=1),
        "gap_seconds": ValueSpec(
            "number", "a thing that is not seen for longer is gone", default=2, minimum=0, maximum=60
        ),
        "failed_share": ValueSpec(
            "number", "pictures that nobody looked at, above which the job fails", default=0.05, minimum=0, maximum=1
        ),
    },
    weight=2,
)
DRAW = VideoForm(
    "video_draw",
    "draws boxes and names into each segment",
    {"segments": "segments", "tracks": "tracks"},
    "pieces",
    {
        "x264_preset": ValueSpec("choice", "slower is smaller", choices=X264_PRESETS, default="veryfast"),
        "crf": ValueSpec("number", "quality; less is better", default=20, minimum=0, maximum=51),
    },
    weight=50,
)
VERIFY = VideoForm(
    "video_verify", "compares the frames of all segments with those of the source", {"pieces": "pieces"}, "pieces"
)
STITCH = VideoForm(
    "video_stitch",
    "joins the segments by copy, and puts the sound of the source back",
    {"pieces": "pieces", "video": "footage"},
    "video",
    weight=10,
)
THUMBNAILS = VideoForm(
    "video_thumbnails",
    "makes a poster, a contact sheet, sprites with a WebVTT track, and a moving preview",
    {"video": "footage"},
    "images",
    weight=10,
)
_ALL = (PLAN, ENCODE, SAMPLE, DETECT, TRACK, DRAW, VERIFY, STITCH, THUMBNAILS)
VIDEO_FORMS: Mapping[str, VideoForm] = {form.name: form for form in _ALL}
