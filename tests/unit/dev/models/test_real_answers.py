"""Which models may answer, and what a service says that has none."""

from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from dev.farm.answers.dice import Prediction
from dev.farm.contract import TRAITS
from dev.farm.pictures import Picture, open_picture
from dev.farm.prediction_pool import NoModel
from dev.farm.probes import picture
from dev.models.catalogue import MODELS, models
from dev.models.real_answers import RealAnswers


def test_a_package_that_states_no_licence_is_used_only_if_the_user_asks_for_it() -> None:
    default = {one.service for one in models(accept_unstated=False)}
    assert default == {"yolov8", "rtdetr", "face", "pose", "nsfw2", "ocr", "colors", "metadata"}
    assert {one.service for one in models(accept_unstated=True)} - default == {"detectron2", "inception_v3"}


def test_the_default_models_are_all_under_licences_that_allow_any_use() -> None:
    for one in models(accept_unstated=False):
        assert not {"GPL", "AGPL", "NC"} & set(one.licence.replace("-", " ").split()), one.service


@pytest.mark.parametrize("service", sorted(set(TRAITS) | {"depth"}))
def test_without_a_model_a_service_says_so_and_makes_nothing_up(service: str) -> None:
    nothing = RealAnswers({})
    with pytest.raises(NoModel, match=f"there is no model for {service}: "):
        nothing.predictions(service, open_picture(picture("JPEG")), 0)
    with pytest.raises(NoModel):
        nothing.class_names(service)
    assert nothing.model_info(service) == {"framework": "none"}


def test_only_what_can_be_had_by_consent_names_the_option() -> None:
    hinted = set()
    for service in TRAITS:
        with pytest.raises(NoModel) as refused:
            RealAnswers({}).predictions(service, open_picture(picture("JPEG")), 0)
        hinted |= {service} if "--accept-unstated-licences" in str(refused.value) else set()
    assert hinted == {one.service for one in MODELS if one.needs_consent}


def test_computed_answers_say_what_they_are() -> None:
    colors = next(one for one in MODELS if one.service == "colors")
    said = RealAnswers({"colors": (colors, lambda _: [])}).model_info("colors")
    assert said == {"framework": "computed", "weights": "none needed", "licence": "Windmill's own code"}


def test_the_classes_of_a_model_are_those_that_it_can_name(tmp_path: Path) -> None:
    (tmp_path / "efficientnet_labels.txt").write_text("tench, Tinca tinca\ngreat white shark\n")
    inception, yolov8 = (next(one for one in MODELS if one.service == name) for name in ("inception_v3", "yolov8"))
    assert inception.classes
    loaded = {one.service: (one, no_answer) for one in (inception, yolov8)}
    answers = RealAnswers(loaded, {"inception_v3": inception.classes(tmp_path)})
    assert answers.class_names("inception_v3") == ["tench", "great_white_shark"]
    assert len(answers.class_names("yolov8")) == 80


def test_metadata_measures_a_transparent_picture_too(tmp_path: Path) -> None:
    file = BytesIO()
    Image.new("RGBA", (40, 30), (200, 10, 10, 128)).save(file, "PNG")
    answer = next(one for one in MODELS if one.service == "metadata").load(tmp_path)
    assert answer(open_picture(file.getvalue()))[0]["dimensions"] == {"width": 40, "height": 30}


def no_answer(_: Picture) -> list[Prediction]:
    return []
