"""The step `contact_sheet`."""

from collections.abc import Sequence
from pathlib import Path

from windmill.kernels.pictures.contact_sheet import SheetLayout, contact_sheet, square_layout
from windmill.kernels.pictures.picture import Picture
from windmill.kernels.pictures.upscaling import fit_within
from windmill.pipelines.image.picture_files import LoadedPicture, check_size, read_picture, write_picture
from windmill.pipelines.picture_step import PictureStep, StepCall
from windmill.pipelines.values import ValueSpec


def _work(call: StepCall) -> Sequence[Path]:
    """Each picture is made small as soon as it is read, so a sheet of many needs the memory of one."""
    paths, layout = call.inputs["pictures"], _layout(call)
    check_size(*layout.size(len(paths)), call.max_pixels)
    small = [_small(path, layout, call.max_pixels) for path in paths]
    return [write_picture(LoadedPicture(contact_sheet(small, layout)), call.produced("sheet.png"))]


def _small(path: Path, layout: SheetLayout, max_pixels: int) -> Picture:
    return fit_within(read_picture(path, max_pixels).pixels, layout.cell_width, layout.cell_height)


def _layout(call: StepCall) -> SheetLayout:
    given = call.parameters
    cell = (given["cell_width"], given["cell_height"], given["gap"])
    columns = given["columns"]
    return SheetLayout(columns, *cell) if columns else square_layout(len(call.inputs["pictures"]), *cell)


STEP = PictureStep(
    name="contact_sheet",
    version=1,
    description="puts many pictures on one, in rows",
    inputs={"pictures": "images"},
    parameters={
        "columns": ValueSpec("integer", "0 for about as many as rows", default=0, minimum=0, maximum=50),
        "cell_width": ValueSpec("integer", "pixels", default=384, minimum=16, maximum=4_096),
        "cell_height": ValueSpec("integer", "pixels", default=384, minimum=16, maximum=4_096),
        "gap": ValueSpec("integer", "pixels between pictures", default=12, minimum=0, maximum=500),
    },
    work=_work,
)
