"""Dead letters by image: one broken picture is parked once for every service, and is one fault all the same."""

from collections import defaultdict
from collections.abc import Sequence

from windmill.kernels.text.tables import render_table
from windmill.operate.dead_letters.dead_letter import DeadLetter
from windmill.operate.dead_letters.render import render_filename, render_id


def render_images_text(jobs: Sequence[DeadLetter]) -> str:
    """A line for each image, those with most parked jobs first."""
    by_image: dict[int | None, list[DeadLetter]] = defaultdict(list)
    for one in jobs:
        by_image[one.image_id].append(one)
    return render_table(
        ["image", "file", "jobs", "codes", "services"],
        [_cells(image, by_image[image]) for image in sorted(by_image, key=lambda image: -len(by_image[image]))],
    )


def _cells(image: int | None, jobs: Sequence[DeadLetter]) -> list[object]:
    name = next((one.image_filename for one in jobs if one.image_filename), None)
    codes = dict.fromkeys(one.code or "-" for one in jobs)
    services = dict.fromkeys(one.service for one in jobs)
    return [render_id(image), render_filename(name), len(jobs), " ".join(codes), " ".join(services)]
