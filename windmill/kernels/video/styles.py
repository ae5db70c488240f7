"""Styles that need no model, as filters: smoothing that keeps edges, few levels of brightness, and lines of ink.
Each looks at one frame alone and at nothing outside it, so equal frames always look the same: a style is as steady as
the video, and nothing shows where segments meet. The seed shifts levels and hue a little."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class VideoStyle:
    """`smooth` is how far smoothing reaches in pixels, `tolerance` which differences (of 1) it removes, `levels` of
    brightness, `soft` how wide the slope between two of them is (of 1), `ink` how strong lines are and from which
    slope on, `color` the saturation, `hue` by how many degrees a seed may turn it."""

    smooth: float
    tolerance: float
    levels: int
    soft: float
    ink: float
    ink_from: int
    color: float
    hue: float


STYLES: Mapping[str, VideoStyle] = {
    "default": VideoStyle(3, 0.10, 12, 0.60, 1.2, 28, 1.1, 3),
    "studio": VideoStyle(4, 0.08, 16, 0.80, 0.6, 36, 1.25, 3),
    "manga": VideoStyle(4, 0.16, 4, 0.60, 2.6, 14, 0.0, 0),
    "anime": VideoStyle(4, 0.14, 7, 0.50, 1.8, 20, 1.5, 6),
}


def style_filter(name: str, seed: int) -> str:
    """One chain of filters; in the middle it works on brightness and colour apart."""
    style = STYLES[name]
    shift = (seed % 101) / 101 - 0.5
    ink = f"lut='clip(255-{style.ink:g}*max(val-{style.ink_from}\\,0)\\,0\\,255)'"
    color = f"hue=s={style.color:g}:h={style.hue * 2 * shift:.3f},"
    return (
        f"format=yuv420p,{color}bilateral=sigmaS={style.smooth:g}:sigmaR={style.tolerance:g}:planes=1,"
        "extractplanes=y+u+v[wy][wu][wv];[wy]split[wa][wb];"
        f"[wa]lut='{_levels(style, shift)}'[wflat];"
        f"[wb]gblur=sigma=1,sobel,{ink}[wink];"
        "[wflat][wink]blend=all_mode=multiply,lut='max(val\\,16)'[wl];"
        "[wl][wu][wv]mergeplanes=0x001020:yuv420p"
    )


def _levels(style: VideoStyle, shift: float) -> str:
    """Steps with slopes between them: a hard step would flicker where brightness stands just at it."""
    width = 219 / style.levels
    place = f"((val-16)/{width:.4f}+{shift:.4f})"
    slope = f"clip((mod({place}+8\\,1)-0.5)/{style.soft:g}+0.5\\,0\\,1)"
    return f"clip(16+{width:.4f}*(floor({place})+{slope}-{shift:.4f})\\,16\\,235)"
