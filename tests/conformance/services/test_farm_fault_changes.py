"""Faults: how they are set and how often they strike."""

from collections import Counter
from random import Random

import pytest

from dev.farm.faults import KNOBS, RATES, Faults, parse_changes
from tests.conformance.services import pictures
from tests.conformance.services.serving import Client, serving
from windmill.core.errors import WindmillError

SERVICE = "yolov8"


async def test_the_same_seed_strikes_the_same_requests_after_each_change() -> None:
    async with serving(SERVICE, seed=3) as client:
        first = await _statuses(client)
        second = await _statuses(client)
    async with serving(SERVICE, seed=4) as client:
        other = await _statuses(client)
    assert first == second != other
    assert 5 <= first.count(500) <= 20


async def _statuses(client: Client) -> list[int]:
    await client.farm.clear_faults([SERVICE])
    await client.farm.set_faults([SERVICE], {"error-rate": 0.4})
    return [(await client.upload(SERVICE, pictures.PLAIN)).status for _ in range(30)]


async def test_faults_strike_only_the_service_and_the_analyses_they_were_set_for() -> None:
    async with serving(SERVICE, "clip") as client:
        await client.farm.set_faults([SERVICE], {"error-rate": 1})
        statuses = [
            (await client.upload("clip", pictures.PLAIN)).status,
            (await client.get(SERVICE, "/health")).status,
            (await client.get(SERVICE, "/nowhere")).status,
            (await client.upload(SERVICE, pictures.PLAIN)).status,
        ]
        await client.farm.clear_faults([SERVICE])
        statuses.append((await client.upload(SERVICE, pictures.PLAIN)).status)
    assert statuses == [200, 200, 404, 500, 200]


async def test_a_change_that_one_service_does_not_allow_changes_none() -> None:
    async with serving(SERVICE, "clip") as client:
        await client.farm.set_faults(["clip"], {"error-rate": 0.8})
        with pytest.raises(WindmillError, match=r"add up to 1\.3"):
            await client.farm.set_faults([SERVICE, "clip"], {"reset-rate": 0.5})
        assert dict(client.farm.handlers[SERVICE].faults.values) == {}


def test_words_are_read_as_changes() -> None:
    assert parse_changes(["error-rate=0.3", "slowness=2", "down"]) == {
        "error-rate": 0.3,
        "slowness": 2.0,
        "down": 1.0,
    }


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("eror-rate=0.3", "did you mean 'error-rate'"),
        ("error-rate=2", "from 0 to 1"),
        ("error-rate=-0.1", "from 0 to 1"),
        ("error-rate=nan", "from 0 to 1"),
        ("error-rate=much", "'much' is not a number"),
        ("capacity=1.5", "a whole number"),
        ("overload-status=418", "429 or 503"),
    ],
)
def test_a_mistaken_change_is_refused_with_what_is_allowed(word: str, said: str) -> None:
    with pytest.raises(WindmillError) as caught:
        parse_changes([word])
    assert said in str(caught.value)


def test_changes_add_to_what_is_on_and_zero_switches_off() -> None:
    faults = Faults().changed({"error-rate": 0.2, "slowness": 1}).changed({"slowness": 0, "reset-rate": 0.1})
    assert dict(faults.values) == {"error-rate": 0.2, "reset-rate": 0.1}


def test_rates_are_struck_in_proportion() -> None:
    faults, dice = Faults().changed({"error-rate": 0.3, "reset-rate": 0.1}), Random(0)
    struck = Counter(faults.strike(dice) for _ in range(10_000))
    assert struck["error-rate"] == pytest.approx(3_000, abs=200)
    assert struck["reset-rate"] == pytest.approx(1_000, abs=150)
    assert struck[None] == pytest.approx(6_000, abs=250)


def test_rates_that_add_up_to_one_always_strike() -> None:
    faults, dice = Faults().changed(dict.fromkeys(RATES[:10], 0.1)), Random(0)
    assert None not in {faults.strike(dice) for _ in range(10_000)}


def test_every_knob_says_what_it_does() -> None:
    assert all(len(knob.meaning) > 10 for knob in KNOBS.values())
