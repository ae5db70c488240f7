"""A contact sheet: many pictures on one, in rows."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from windmill.kernels.pictures.picture import Picture
from windmill.kernels.pictures.upscaling import fit_within


@dataclass(frozen=True)
class SheetLayout:
    """Where pictures go: cells of one size in so many columns, with a gap around each."""

    columns: int
    cell_width: int
    cell_height: int
    gap: int

    def size(self, pictures: int) -> tuple[int, int]:
        """Width and height of the sheet."""
        rows = math.ceil(pictures / self.columns)
        return (
            self.columns * (self.cell_width + self.gap) + self.gap,
            rows * (self.cell_height + self.gap) + self.gap,
        )

    def corner(self, number: int) -> tuple[int, int]:
        """The left upper corner of a cell, as x and y."""
        row, column = divmod(number, self.columns)
        return (
            self.gap + column * (self.cell_width + self.gap),
            self.gap + row * (self.cell_height + self.gap),
        )


def contact_sheet(pictures: Sequence[Picture], layout: SheetLayout, background: int = 255) -> Picture:
    """The pictures in their order, row by row, each as large as fits into the middle of its cell."""
    width, height = layout.size(len(pictures))
    sheet: Picture = np.full((height, width, 3), background, dtype=np.uint8)
    for number, picture in enumerate(pictures):
        _place(sheet, fit_within(picture, layout.cell_width, layout.cell_height), layout, number)
    return sheet


def square_layout(pictures: int, cell_width: int, cell_height: int, gap: int) -> SheetLayout:
    """As many columns as rows, or one column more."""
    return SheetLayout(max(1, math.ceil(math.sqrt(pictures))), cell_width, cell_height, gap)


def _place(sheet: Picture, picture: Picture, layout: SheetLayout, number: int) -> None:
    x, y = layout.corner(number)
    rows, columns, _ = picture.shape
    x, y = x + (layout.cell_width - columns) // 2, y + (layout.cell_height - rows) // 2
    sheet[y : y + rows, x : x + columns] = picture
