"""Which models may answer, and what a service says that has none."""

import pytest

from dev.farm.contract import TRAITS
from dev.farm.pictures import open_picture
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
