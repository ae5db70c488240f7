"""Pictures for tests of picture operations, and what is measured of them."""

import numpy as np

from windmill.kernels.pictures.picture import Picture, Plane, as_picture, as_plane, luminance


def grey(value: int, height: int = 96, width: int = 128) -> Picture:
    return np.full((height, width, 3), value, dtype=np.uint8)


def ramp(height: int = 64, width: int = 256) -> Picture:
    """From black on the left to white on the right."""
    row = np.linspace(0, 255, width).astype(np.uint8)
    return np.repeat(np.tile(row, (height, 1))[..., None], 3, axis=2)


def scene(height: int = 96, width: int = 128) -> Picture:
    """Soft colours, an edge and a disc: something of what photographs have."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    plane = np.stack([0.3 + 0.3 * x / width, 0.5 + 0.3 * np.sin(y / 15), 0.6 - 0.3 * y / height], axis=2)
    plane[:, width // 2 :] *= 0.6
    plane[(x - width / 4) ** 2 + (y - height / 2) ** 2 < (height / 5) ** 2] = (0.85, 0.3, 0.2)
    return as_picture(plane.astype(np.float32))


def noisy(picture: Picture, deviation: float, seed: int = 5) -> Picture:
    noise = np.random.RandomState(seed).standard_normal(picture.shape).astype(np.float32)
    return as_picture(as_plane(picture) + noise * np.float32(deviation))


def high_frequency_variance(picture: Picture) -> float:
    """The variance of the Laplacian of brightness: what is finer than about two pixels."""
    plane: Plane = luminance(as_plane(picture))
    middle = plane[1:-1, 1:-1]
    sides = plane[:-2, 1:-1] + plane[2:, 1:-1] + plane[1:-1, :-2] + plane[1:-1, 2:]
    return float((4 * middle - sides).var())


def psnr(first: Picture, second: Picture) -> float:
    """How alike two pictures are, in decibels; 10 more is a tenth of the squared error."""
    error = float(np.mean((as_plane(first) - as_plane(second)) ** 2))
    return 10 * float(np.log10(1 / error)) if error else float("inf")


def equal(first: Picture, second: Picture) -> bool:
    return bool(np.array_equal(first, second))
