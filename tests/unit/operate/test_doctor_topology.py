"""What the doctor says of declared queues, by tables of what is there."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from windmill.broker import QueueCount
from windmill.broker.management import policies
from windmill.core.services import load_fleet
from windmill.core.settings import Settings
from windmill.operate.doctor.findings import DoctorFinding
from windmill.operate.doctor.topology import judge
from windmill.operate.doctor.topology.ask import parse_topology
from windmill.operate.doctor.topology.differences import argument_diff, refusal_diff
from windmill.operate.doctor.topology.judge import DeclaredQueue, Topology
from windmill.operate.doctor.topology.judge_consumer_timeout import judge_consumer_timeout
from windmill.operate.doctor.topology.judge_policies import effective_policy

SETTINGS = Settings.from_env({"RETRY_DELAYS": "5"})
EVERY = list(load_fleet(SETTINGS.service_config).services.values())
CHOSEN = [service for service in EVERY if service.name in ("clip", "yolov8")]
WORK = ("queue_clip", "queue_yolov8")
URGENT = ("queue_clip_urgent", "queue_yolov8_urgent")
TIER = "queue_retry.5000"


@pytest.mark.parametrize(
    ("words", "diff"),
    [
        ("inequivalent arg 'x-queue-type' for queue 'q' in vhost '/': received 'quorum' but current is 'classic'",
         "-x-queue-type=classic +x-queue-type=quorum"),
        ("x: inequivalent arg 'x-message-ttl' for queue 'it' in vhost '/': received the value '5' of type 'signedint'"
         " but current is none", "+x-message-ttl=5"),
        ("inequivalent arg 'x-dead-letter-exchange' for queue 'q' in vhost '/': received none but current is the value"
         " '' of type 'longstr'", "-x-dead-letter-exchange=''"),
        ("ACCESS_REFUSED", "ACCESS_REFUSED"),
    ],
)  # fmt: skip
def test_a_refusal_of_the_broker_is_shown_as_a_diff(words: str, diff: str) -> None:
    assert refusal_diff(words) == diff


def entry(name: str, priority: int = 0, pattern: str = ".*", apply_to: str = "all") -> dict[str, Any]:
    return {"name": name, "priority": priority, "pattern": pattern, "apply-to": apply_to}


def own_policy(queue: str, version: str = "3.10.8", changes: Mapping[str, object] | None = None) -> dict[str, Any]:
    definition = policies(SETTINGS, ["clip", "yolov8"], version)[queue]
    return {**entry(queue, 1, f"^{re.escape(queue)}$", "queues"), "definition": {**definition, **(changes or {})}}


def with_step_queue(kind: str) -> Topology:
    topology = healthy()
    return replace(topology, queues={**topology.queues, "queue_upscale": DeclaredQueue({"x-queue-type": kind})})


def test_the_queue_of_a_step_is_neither_left_over_nor_missing() -> None:
    found = judge.judge_topology(SETTINGS, CHOSEN, EVERY, with_step_queue("quorum"), ["upscale", "sharpen"])
    assert [one.name for one in found if one.state != "ok"] == []
    assert [one.found for one in found if one.name == "step queues"] == ["all 1 are as they should be"]


def test_a_step_queue_of_another_type_may_be_deleted_at_any_time() -> None:
    found = judge.judge_topology(SETTINGS, CHOSEN, EVERY, with_step_queue("classic"), ["upscale"])
    (wrong,) = [one for one in found if one.name == "queue_upscale"]
    assert (wrong.state, "no work is lost" in wrong.remedy) == ("problem", True)


def test_a_step_that_nobody_knows_any_more_leaves_its_queue_over() -> None:
    found = judge.judge_topology(SETTINGS, CHOSEN, EVERY, with_step_queue("quorum"), [])
    assert [one.name for one in found if one.state == "warning"] == ["queue_upscale"]


def healthy() -> Topology:
    wanted = judge.wanted_queues(SETTINGS, CHOSEN)
    names = [name for name in wanted if name.startswith("queue_retry.")]
    return Topology(
        queues={name: DeclaredQueue(arguments) for name, arguments in wanted.items()},
        exchanges=dict.fromkeys(names, "fanout"),
        bindings=frozenset((name, name) for name in names),
        policies=[own_policy(queue) for queue in (*WORK, *URGENT)],
        version="3.10.8",
    )


def judged(seen: Topology, settings: Settings = SETTINGS) -> list[DoctorFinding]:
    return judge.judge_topology(settings, CHOSEN, EVERY, seen)


def only(findings: list[DoctorFinding]) -> DoctorFinding:
    [finding] = [finding for finding in findings if finding.state != "ok"]
    return finding


def with_queue(name: str, queue: DeclaredQueue | None) -> Topology:
    others = {key: value for key, value in healthy().queues.items() if key != name}
    return replace(healthy(), queues=others | ({name: queue} if queue else {}))


def with_policies(*others: dict[str, Any]) -> Topology:
    return replace(healthy(), policies=[*others, *map(own_policy, ("queue_yolov8", *URGENT))])


def test_nothing_is_said_against_what_declare_makes() -> None:
    findings = judged(healthy())
    assert {finding.state for finding in findings} == {"ok"}
    assert [finding.name for finding in findings] == ["queues", "retry tiers", "policies"]


@pytest.mark.parametrize("name", ["queue_clip", "queue_clip_urgent", "queue_clip.failed", TIER])
def test_a_queue_that_is_missing_is_named_with_the_command_that_makes_it(name: str) -> None:
    finding = only(judged(with_queue(name, None)))
    assert (finding.state, finding.name) == ("problem", name)
    assert f"+queue {name}" in finding.found
    assert finding.remedy == "python -m windmill declare"


@pytest.mark.parametrize(
    ("name", "arguments", "diff"),
    [
        ("queue_clip", {"x-queue-type": "classic"}, "-x-queue-type=classic +x-queue-type=quorum"),
        ("queue_clip", {"x-queue-type": "quorum", "x-max-length": 9}, "-x-max-length=9"),
        ("queue_clip.failed", {"x-queue-type": "classic"}, "-x-queue-type=classic +x-queue-type=quorum"),
    ],
)
def test_an_argument_that_differs_is_shown_with_the_way_to_change_it(
    name: str, arguments: dict[str, object], diff: str
) -> None:
    finding = only(judged(with_queue(name, DeclaredQueue(arguments))))
    assert (finding.state, finding.name, finding.found) == ("problem", name, f"differs: {diff}")
    assert f"rabbitmqctl -p / delete_queue {name} --if-empty and python -m windmill declare" in finding.remedy
    assert ("set QUEUE_TYPE" in finding.remedy) is ("x-queue-type" in diff)


def test_a_tier_of_another_delay_is_shown_without_telling_to_change_the_type() -> None:
    tier = healthy().queues[TIER]
    finding = only(judged(with_queue(TIER, DeclaredQueue({**tier.arguments, "x-message-ttl": 7}))))
    assert finding.found == "differs: -x-message-ttl=7 +x-message-ttl=5000"
    assert finding.remedy.startswith("stop the workers and wait until it has emptied itself; then rabbitmqctl")


@pytest.mark.parametrize(
    ("changes", "name", "says"),
    [
        ({"exchanges": {}}, f"exchange {TIER}", "+exchange queue_retry.5000"),
        ({"exchanges": {TIER: "direct"}}, f"exchange {TIER}", "-type=direct +type=fanout"),
        ({"bindings": frozenset()}, f"binding {TIER}", "+binding queue_retry.5000"),
    ],
)
def test_a_way_into_a_tier_that_is_broken_is_named(changes: dict[str, Any], name: str, says: str) -> None:
    findings = {finding.name: finding for finding in judged(replace(healthy(), **changes))}
    assert findings[name].state == "problem"
    assert says in findings[name].found


def test_a_policy_that_is_missing_is_a_problem() -> None:
    finding = only(judged(with_policies()))
    assert (finding.state, finding.name, finding.remedy) == (
        "problem",
        "policy queue_clip",
        "python -m windmill declare",
    )


def test_a_policy_that_was_changed_is_shown_as_a_diff() -> None:
    finding = only(judged(with_policies(own_policy("queue_clip", changes={"delivery-limit": 3}))))
    assert finding.found == "differs: -delivery-limit=3 +delivery-limit=20"
    assert finding.remedy == "python -m windmill declare"


def test_a_policy_that_another_overrides_names_the_other() -> None:
    stranger = {"name": "all", "pattern": "^queue_clip", "priority": 7, "apply-to": "queues", "definition": {}}
    findings = judged(with_policies(own_policy("queue_clip"), stranger))
    [finding] = [finding for finding in findings if finding.name == "policy queue_clip"]
    assert "overridden by policy all of priority 7: +dead-letter-exchange=''" in finding.found
    assert "leave out queue_clip" in finding.remedy


def test_parked_jobs_of_rabbitmq_4_need_a_policy_that_lifts_its_limit() -> None:
    seen = replace(healthy(), version="4.1.0")
    bad = [finding for finding in judged(seen) if finding.state != "ok"]
    assert [finding.name for finding in bad] == ["policy queue_clip.failed", "policy queue_yolov8.failed"]
    assert bad[0].found.endswith("+delivery-limit=-1")
    lifted = [own_policy(f"queue_{name}.failed", "4.1.0") for name in ("clip", "yolov8")]
    assert {one.state for one in judged(replace(seen, policies=[*seen.policies, *lifted]))} == {"ok"}


def test_a_policy_that_throws_parked_jobs_away_is_a_warning() -> None:
    stranger = {"name": "short", "pattern": "failed$", "apply-to": "all", "definition": {"message-ttl": 1000}}
    found = [one for one in judged(replace(healthy(), policies=[*healthy().policies, stranger])) if one.state != "ok"]
    assert {(one.state, one.name) for one in found} == {
        ("warning", "queue_clip.failed"),
        ("warning", "queue_yolov8.failed"),
    }
    assert "policy short sets message-ttl" in found[0].found


def test_classic_queues_need_no_limits() -> None:
    settings = replace(SETTINGS, queue_type="classic")
    wanted = judge.wanted_queues(settings, CHOSEN)
    seen = replace(
        healthy(), queues={name: DeclaredQueue(arguments) for name, arguments in wanted.items()}, policies=[]
    )
    assert {finding.state for finding in judged(seen, settings)} == {"ok"}


def test_queues_that_no_setting_names_are_left_overs_and_those_of_other_services_are_not() -> None:
    extra: dict[str, DeclaredQueue] = {
        "queue_pose_urgent": DeclaredQueue({"x-queue-type": "quorum"}),
        "queue_gone": DeclaredQueue({"x-queue-type": "quorum"}, messages=1200),
        "queue_pose": DeclaredQueue({"x-queue-type": "quorum"}),
        "windmill.retry.77": DeclaredQueue({}, messages=0),
        "someone_else": DeclaredQueue({}, messages=3),
    }
    found = [one for one in judged(replace(healthy(), queues={**healthy().queues, **extra})) if one.state != "ok"]
    assert [(one.state, one.name) for one in found] == [("warning", "queue_gone"), ("warning", "windmill.retry.77")]
    assert "it holds 1,200 messages" in found[0].found
    assert "a retry tier of an older Windmill" in found[1].found
    assert "wait until it has emptied itself" in found[1].remedy


@pytest.mark.parametrize(
    ("count", "told"), [(QueueCount(5, 0), True), (QueueCount(5, 1), False), (QueueCount(0, 0), False), (None, False)]
)
def test_jobs_that_nobody_takes_are_told(count: QueueCount | None, told: bool) -> None:
    found = judge.waiting({"queue_clip": count})
    assert [one.found for one in found] == (["5 waiting, and nobody consumes"] if told else [])


@pytest.mark.parametrize(
    ("found", "wanted", "diff"),
    [
        ({}, {}, ""),
        ({"a": 1}, {"a": 1}, ""),
        ({"a": 1}, {"a": 2}, "-a=1 +a=2"),
        ({"b": 1, "a": 1}, {"c": ""}, "-a=1 -b=1 +c=''"),
    ],
)
def test_differences_are_a_diff_on_one_line(found: dict[str, object], wanted: dict[str, object], diff: str) -> None:
    assert argument_diff(found, wanted) == diff


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ([], None),
        ([entry("low"), entry("high", 3)], "high"),
        ([entry("q"), entry("stranger")], "stranger"),
        ([entry("other", pattern="^x$")], None),
        ([entry("other", apply_to="exchanges")], None),
        ([entry("kind", apply_to="quorum_queues")], "kind"),
        ([entry("kind", apply_to="classic_queues")], None),
        ([entry("broken", pattern="(?<broken")], None),
    ],
)
def test_the_policy_of_highest_priority_that_fits_rules(given: list[dict[str, Any]], name: str | None) -> None:
    rules = effective_policy(given, "q", "quorum")
    assert (rules and rules["name"]) == name


def test_a_queue_without_a_declared_type_has_one_all_the_same() -> None:
    seen = parse_topology(
        [
            [{"name": "q", "type": "classic", "arguments": {}, "messages": 4}, {"name": "new", "type": "quorum"}],
            [{"name": "e", "type": "fanout"}],
            [{"source": "e", "destination": "q"}],
            [],
            {"rabbitmq_version": "3.10.8"},
        ]
    )
    assert seen.queues == {
        "q": DeclaredQueue({"x-queue-type": "classic"}, 4),
        "new": DeclaredQueue({"x-queue-type": "quorum"}),
    }
    assert (seen.exchanges, seen.bindings) == ({"e": "fanout"}, frozenset({("e", "q")}))


def test_a_job_may_not_be_held_for_longer_than_the_broker_lets_it() -> None:
    assert [one.state for one in judge_consumer_timeout(SETTINGS, EVERY, [])] == ["ok"]
    slow = replace(SETTINGS, request_timeout=600.0)
    [finding] = judge_consumer_timeout(slow, CHOSEN[:1], [])
    assert finding.state == "warning"
    assert "a job of clip may be held for 3060 s, and RabbitMQ takes it back after 1800 s" in finding.found
    strict = {**entry("strict", apply_to="queues"), "definition": {"consumer-timeout": 60_000}}
    assert "takes it back after 60 s" in judge_consumer_timeout(SETTINGS, CHOSEN[:1], [strict])[0].found


@pytest.mark.parametrize("queue", ["queue_clip", "queue_clip_urgent"])
def test_a_policy_of_either_queue_may_shorten_how_long_a_job_may_be_held(queue: str) -> None:
    strict = {**entry("strict", pattern=f"^{queue}$"), "definition": {"consumer-timeout": 60_000}}
    [finding] = judge_consumer_timeout(SETTINGS, CHOSEN, [strict])
    assert finding.found.startswith("a job of clip may be held"), "yolov8 is left alone"
    assert "takes it back after 60 s" in finding.found
