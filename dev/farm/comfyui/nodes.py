"""The nodes of the stand-in as data. Names, types and bounds are ComfyUI's; lists of choices may be shorter."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

MAX_SIDE = 16_384
MAX_SEED = 2**64 - 1
SAMPLERS = (
    "euler", "euler_ancestral", "heun", "dpm_2", "dpm_2_ancestral", "lms", "dpm_fast", "dpm_adaptive",
    "dpmpp_2s_ancestral", "dpmpp_sde", "dpmpp_sde_gpu", "dpmpp_2m", "dpmpp_2m_sde", "dpmpp_2m_sde_gpu",
    "dpmpp_3m_sde", "dpmpp_3m_sde_gpu", "ddpm", "lcm", "ipndm", "deis", "ddim", "uni_pc", "uni_pc_bh2",
)  # fmt: skip
SCHEDULERS = ("simple", "sgm_uniform", "karras", "exponential", "ddim_uniform", "beta", "normal", "linear_quadratic")
UPSCALE_METHODS = ("nearest-exact", "bilinear", "area", "bicubic", "lanczos")


@dataclass(frozen=True)
class Input:
    """One input of a node; `choices` names a list of the server, or is one."""

    type: str
    default: object = None
    low: float | None = None
    high: float | None = None
    choices: Sequence[str] | str | None = None
    optional: bool = False


@dataclass(frozen=True)
class Node:
    """One kind of node."""

    inputs: Mapping[str, Input]
    outputs: tuple[str, ...] = ("IMAGE",)
    saves: bool = False
    category: str = "image"


def _int(default: int, low: int, high: int) -> Input:
    return Input("INT", default, low, high)


def _float(default: float, low: float, high: float) -> Input:
    return Input("FLOAT", default, low, high)


_IMAGE, _PREFIX, _SEED = Input("IMAGE"), Input("STRING", "ComfyUI"), _int(0, 0, MAX_SEED)
_METHOD = Input("COMBO", choices=UPSCALE_METHODS)
_SIZE = {"width": _int(512, 1, MAX_SIDE), "height": _int(512, 1, MAX_SIDE)}
_LATENT_SIZE = {"width": _int(512, 16, MAX_SIDE), "height": _int(512, 16, MAX_SIDE)}
_BATCH = {"batch_size": _int(1, 1, 4_096)}

NODES: dict[str, Node] = {
    "EmptyImage": Node({**_SIZE, **_BATCH, "color": _int(0, 0, 0xFFFFFF)}),
    "LoadImage": Node({"image": Input("COMBO", choices="input")}, ("IMAGE", "MASK")),
    "ImageInvert": Node({"image": _IMAGE}),
    "ImageAddNoise": Node({"image": _IMAGE, "seed": _SEED, "strength": _float(0.5, 0, 1)}),
    "ImageBlur": Node({"image": _IMAGE, "blur_radius": _int(1, 1, 31), "sigma": _float(1, 0.1, 10)}),
    "ImageSharpen": Node(
        {"image": _IMAGE, "sharpen_radius": _int(1, 1, 31), "sigma": _float(1, 0.1, 10), "alpha": _float(1, 0, 5)}
    ),
    "ImageBlend": Node(
        {
            "image1": _IMAGE,
            "image2": _IMAGE,
            "blend_factor": _float(0.5, 0, 1),
            "blend_mode": Input(
                "COMBO", choices=("normal", "multiply", "screen", "overlay", "soft_light", "difference")
            ),
        }
    ),
    "ImageQuantize": Node(
        {
            "image": _IMAGE,
            "colors": _int(256, 1, 256),
            "dither": Input("COMBO", choices=("none", "floyd-steinberg")),
        }
    ),
    "ImageScale": Node(
        {
            "image": _IMAGE,
            "upscale_method": _METHOD,
            "width": _int(512, 0, MAX_SIDE),
            "height": _int(512, 0, MAX_SIDE),
            "crop": Input("COMBO", choices=("disabled", "center")),
        }
    ),
    "ImageScaleBy": Node({"image": _IMAGE, "upscale_method": _METHOD, "scale_by": _float(1, 0.01, 8)}),
    "ImageCrop": Node({"image": _IMAGE, **_SIZE, "x": _int(0, 0, MAX_SIDE), "y": _int(0, 0, MAX_SIDE)}),
    "SaveImage": Node({"images": _IMAGE, "filename_prefix": _PREFIX}, (), saves=True),
    "PreviewImage": Node({"images": _IMAGE}, (), saves=True),
    "CheckpointLoaderSimple": Node(
        {"ckpt_name": Input("COMBO", choices="checkpoints")}, ("MODEL", "CLIP", "VAE"), category="loaders"
    ),
    "CLIPTextEncode": Node(
        {"text": Input("STRING", ""), "clip": Input("CLIP")}, ("CONDITIONING",), category="conditioning"
    ),
    "EmptyLatentImage": Node({**_LATENT_SIZE, **_BATCH}, ("LATENT",), category="latent"),
    "KSampler": Node(
        {
            "model": Input("MODEL"),
            "seed": _SEED,
            "steps": _int(20, 1, 10_000),
            "cfg": _float(8, 0, 100),
            "sampler_name": Input("COMBO", choices=SAMPLERS),
            "scheduler": Input("COMBO", choices=SCHEDULERS),
            "positive": Input("CONDITIONING"),
            "negative": Input("CONDITIONING"),
            "latent_image": Input("LATENT"),
            "denoise": _float(1, 0, 1),
        },
        ("LATENT",),
        category="sampling",
    ),
    "VAEDecode": Node({"samples": Input("LATENT"), "vae": Input("VAE")}, category="latent"),
    "VAEEncode": Node({"pixels": _IMAGE, "vae": Input("VAE")}, ("LATENT",), category="latent"),
    "UpscaleModelLoader": Node(
        {"model_name": Input("COMBO", choices="upscale_models")}, ("UPSCALE_MODEL",), category="loaders"
    ),
    "ImageUpscaleWithModel": Node({"upscale_model": Input("UPSCALE_MODEL"), "image": _IMAGE}),
}


@dataclass(frozen=True)
class Installed:
    """The lists that depend on a server's files."""

    lists: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def choices(self, wanted: Input) -> list[str]:
        """What can be chosen for an input."""
        listed = wanted.choices or ()
        return list(self.lists.get(listed, ())) if isinstance(listed, str) else list(listed)


def input_config(wanted: Input, installed: Installed) -> list[object]:
    """An input as /object_info describes it."""
    if wanted.type == "COMBO":
        return [installed.choices(wanted), {}]
    bounds = {"default": wanted.default, "min": wanted.low, "max": wanted.high}
    return [wanted.type, {name: value for name, value in bounds.items() if value is not None}]


def object_info(name: str, installed: Installed) -> dict[str, object]:
    """A node as /object_info describes it."""
    node = NODES[name]
    required = {key: input_config(one, installed) for key, one in node.inputs.items() if not one.optional}
    return {
        "input": {"required": required},
        "input_order": {"required": list(required)},
        "output": list(node.outputs),
        "output_is_list": [False] * len(node.outputs),
        "output_name": list(node.outputs),
        "name": name,
        "display_name": name,
        "description": "",
        "category": node.category,
        "output_node": node.saves,
    }
