"""The parameters of the step `export`, as presets see them."""

from collections.abc import Mapping
from typing import Literal, get_args

from windmill.pipelines.values import ValueSpec

ExportFormat = Literal["jsonl", "csv", "parquet", "coco", "webdataset", "labelstudio"]
FORMATS: tuple[ExportFormat, ...] = get_args(ExportFormat)
NAME = "export"
VERSION = 1
DESCRIPTION = "writes what a query finds into files, a range of image ids at a time"
SHARD_IMAGES = 100_000
MIN_CONFIDENCE = 0.5
MOST_ID = 9_000_000_000_000_000

PARAMETERS: Mapping[str, ValueSpec] = {
    "query": ValueSpec("text", "which images, as for search; all without it", default="", max_length=2_000),
    "format": ValueSpec("choice", "what the files are", required=True, choices=FORMATS),
    "first_image_id": ValueSpec("integer", "the range begins here", default=1, minimum=1, maximum=MOST_ID),
    "last_image_id": ValueSpec("integer", "and ends here", required=True, minimum=0, maximum=MOST_ID),
    "shard_images": ValueSpec("integer", "ids of a file", default=SHARD_IMAGES, minimum=1, maximum=10_000_000),
    "min_confidence": ValueSpec("number", "boxes from here on", default=MIN_CONFIDENCE, minimum=0, maximum=1),
    "since": ValueSpec("text", "only what was indexed from this time on; of Parquet whole files", max_length=40),
}
