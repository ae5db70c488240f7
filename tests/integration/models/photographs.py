"""A dozen free photographs out of packages, and a drawn sign."""

import io

from PIL import Image, ImageDraw, ImageFont

from dev.models.packages import Package

_SKIMAGE = "skimage/data/"
PHOTOGRAPHS = (
    Package(
        "pypi",
        "scikit-image",
        "0.26.0",
        14,
        "BSD-3-Clause; the photographs are in the public domain",
        {
            f"{_SKIMAGE}astronaut.png": "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5",
            f"{_SKIMAGE}camera.png": "b0793d2adda0fa6ae899c03989482bff9a42d3d5690fc7e3648f2795d730c23a",
            f"{_SKIMAGE}chelsea.png": "596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb",
            f"{_SKIMAGE}clock_motion.png": "f029226b28b642e80113d86622e9b215ee067a0966feaf5e60604a1e05733955",
            f"{_SKIMAGE}coffee.png": "cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7",
            f"{_SKIMAGE}coins.png": "f8d773fc9cfa6f4d8e5942dc34d0a0788fcaed2a4fefbbed0aef5398d7ef4cba",
            f"{_SKIMAGE}horse.png": "c7fb60789fe394c485f842291ea3b21e50d140f39d6dcb5fb9917cc178225455",
            f"{_SKIMAGE}motorcycle_left.png": "db18e9c4157617403c3537a6ba355dfeafe9a7eabb6b9b94cb33f6525dd49179",
            f"{_SKIMAGE}page.png": "341a6f0a61557662b02734a9b6e56ec33a915b2c41886b97509dedf2a43b47a3",
            f"{_SKIMAGE}rocket.jpg": "c2dd0de7c538df8d111e479619b129464d0269d0ae5fd18ca91d33a7fdfea95c",
        },
    ),
    Package(
        "pypi",
        "scikit-learn",
        "1.9.1",
        9,
        "BSD-3-Clause; the photographs are under CC BY 2.0",
        {
            "sklearn/datasets/images/china.jpg": "8378025ad2519d649d02e32bd98990db4ab572357d9f09841c2fbfbb4fefad29",
            "sklearn/datasets/images/flower.jpg": "a77f6ec41e353afdf8bdff2ea981b2955535d8d83294f8cfa49cf4e423dd5638",
        },
    ),
    Package(
        "pypi",
        "matplotlib",
        "3.11.2",
        10,
        "PSF-like; the photograph is in the public domain",
        {
            "matplotlib/mpl-data/sample_data/grace_hopper.jpg": (
                "a8ca6d734765703b09728ab47fe59f473d93ae3967fc24c7c0288c3c7adb7130"
            ),
        },
    ),
)


def sign(words: str) -> tuple[bytes, tuple[int, int, int, int]]:
    """A white sign with these words, and the box of the words."""
    image = Image.new("RGB", (640, 360), "darkgreen")
    draw = ImageDraw.Draw(image)
    draw.rectangle((60, 120, 580, 240), fill="white", outline="black", width=4)
    font = ImageFont.load_default(size=48)
    left, top, right, bottom = (round(edge) for edge in draw.textbbox((90, 150), words, font))
    draw.text((90, 150), words, "black", font)
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue(), (left, top, right - left, bottom - top)
