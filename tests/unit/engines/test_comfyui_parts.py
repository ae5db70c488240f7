"""The pure parts of the ComfyUI engine: the graph, the history, refusals, progress."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windmill.core.errors import WindmillError
from windmill.engines.comfyui.events import PromptProgress
from windmill.engines.comfyui.graph import render_graph
from windmill.engines.comfyui.history import files_to_fetch, is_known, read_history
from windmill.engines.comfyui.refusals import choices_of, node_faults
from windmill.engines.engine import JsonValue

KEYS = (
    "status", "messages", "outputs", "prompt", "errors", "extra_info", "input_config", "input", "required", "b", "A",
    "type", "data", "prompt_id", "nodes", "p", "value", "max", "state",
)  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=12,
)


def graph_of(**inputs: JsonValue) -> dict[str, Any]:
    return {"1": {"class_type": "Any", "inputs": inputs, "_meta": {"title": "kept"}}}


def rendered(**inputs: JsonValue) -> dict[str, Any]:
    graph = render_graph(graph_of(**inputs), "job-7", {"photo": "ab.png"}, {"prompt": "a mill", "seed": 0})
    assert graph["1"]["_meta"] == {"title": "kept"}
    found = graph["1"]["inputs"]
    assert isinstance(found, dict)
    return found


def test_marks_are_filled_in_and_all_else_stays() -> None:
    assert rendered(
        image={"$input": "photo"}, text={"$parameter": "prompt"}, seed={"$parameter": "seed"}, link=["2", 0], width=64
    ) == {"image": "ab.png", "text": "a mill", "seed": 0, "link": ["2", 0], "width": 64}


def test_a_mark_may_have_a_default() -> None:
    assert rendered(steps={"$parameter": "steps", "default": 20}) == {"steps": 20}
    with pytest.raises(WindmillError, match="the graph needs steps"):
        rendered(steps={"$parameter": "steps"})


def test_what_a_user_writes_is_never_taken_for_a_mark() -> None:
    prompt = '{"$input": "photo"} ${seed}'
    graph = render_graph(graph_of(text={"$parameter": "prompt"}), "j", {}, {"prompt": prompt})
    assert graph["1"]["inputs"] == {"text": prompt}


def test_what_is_saved_goes_into_a_folder_of_the_job() -> None:
    assert rendered(filename_prefix="frame") == {"filename_prefix": "job-7/frame"}
    assert rendered(filename_prefix="/frame") == {"filename_prefix": "job-7/frame"}


@pytest.mark.parametrize("graph", [{"1": 5}, {"1": {}}, {"1": {"class_type": "A", "inputs": []}}])
def test_a_graph_that_is_none_is_refused(graph: dict[str, JsonValue]) -> None:
    with pytest.raises(WindmillError, match="USAGE"):
        render_graph(graph, "j", {}, {})


def row(status: dict[str, Any], outputs: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"p": {"prompt": [1, "p", {"g": 1}, {}, []], "outputs": outputs or {}, "status": status, "meta": {}}}


SUCCESS = {"status_str": "success", "completed": True, "messages": []}


def failure(*messages: list[Any]) -> WindmillError:
    finished = read_history(row({"status_str": "error", "completed": False, "messages": list(messages)}), "p")
    assert finished
    assert finished.failure
    return finished.failure


def test_a_prompt_that_the_history_does_not_know_is_not_over() -> None:
    assert read_history({}, "p") is None


def test_all_files_of_all_nodes_are_found_and_previews_only_if_there_is_nothing_else() -> None:
    kept = {"filename": "a.png", "subfolder": "j", "type": "output"}
    film, preview = {"filename": "b.mp4", "subfolder": "", "type": "output"}, {"filename": "c.png", "type": "temp"}
    finished = read_history(
        row(SUCCESS, {"1": {"images": [kept, preview], "animated": [True]}, "2": {"gifs": [film]}}), "p"
    )
    assert finished
    assert [file.query for file in files_to_fetch(finished)] == [kept, film]
    alone = read_history(row(SUCCESS, {"1": {"images": [preview]}}), "p")
    assert alone
    assert [file.filename for file in files_to_fetch(alone)] == ["c.png"]


def test_a_success_without_files_is_none() -> None:
    finished = read_history(row(SUCCESS), "p")
    assert finished
    with pytest.raises(WindmillError, match="BAD_RESPONSE"):
        files_to_fetch(finished)


def test_a_file_name_that_leads_elsewhere_is_refused() -> None:
    finished = read_history(row(SUCCESS, {"1": {"images": [{"filename": "../../x.png"}]}}), "p")
    assert finished
    with pytest.raises(WindmillError, match="BAD_RESPONSE"):
        files_to_fetch(finished)


def test_an_error_names_node_and_exception_and_shows_no_path() -> None:
    data = {
        "node_type": "KSampler",
        "exception_type": "RuntimeError",
        "exception_message": "shapes differ\n",
        "traceback": ["/opt/ComfyUI/x.py"],
    }
    error = failure(["execution_start", {}], ["execution_error", data])
    assert (error.code, error.retry) == ("SERVICE_ERROR", "later")
    assert error.message == "the node KSampler failed: RuntimeError: shapes differ"


def test_the_type_of_the_exception_tells_that_memory_is_out() -> None:
    assert failure(["execution_error", {"exception_type": "torch.OutOfMemoryError"}]).code == "OUT_OF_MEMORY"
    said = {"exception_type": "ValueError", "exception_message": "OutOfMemoryError"}
    assert failure(["execution_error", said]).code == "SERVICE_ERROR"


def test_an_interruption_by_somebody_else_may_be_tried_again() -> None:
    assert failure(["execution_interrupted", {}]).retry == "later"


@given(JSON)
def test_no_answer_breaks_the_readers(document: object) -> None:
    read_history(document, "p")
    read_history({"p": document}, "p")
    is_known(document, "p")
    node_faults(document)
    choices_of({"A": document}, "A", "b")
    PromptProgress("p", 3).hear(document)
    part = {"prompt_id": "p", "nodes": document, "value": document, "max": document, "node": document}
    for kind in ("progress_state", "progress", "execution_cached", "executed", "executing"):
        PromptProgress("p", 3).hear({"type": kind, "data": part})


def test_the_choices_are_found_in_old_and_new_nodes() -> None:
    old = {"A": {"input": {"required": {"name": [["x", "y"], {}]}}}}
    new = {"A": {"input": {"required": {}, "optional": {"name": ["COMBO", {"options": ["x", "y"]}]}}}}
    assert choices_of(old, "A", "name") == choices_of(new, "A", "name") == ("x", "y")


def event(kind: str, prompt_id: str = "p", **data: object) -> dict[str, object]:
    return {"type": kind, "data": {"prompt_id": prompt_id, **data}}


def test_progress_counts_nodes_and_steps_and_leaves_the_end_to_the_end() -> None:
    progress = PromptProgress("p", 4)
    shares = []
    for heard in (
        event("execution_cached", nodes=["1"]),
        event("progress_state", nodes={"2": {"value": 1, "max": 1, "state": "finished"}}),
        event("progress", node="3", value=5, max=10),
        event("progress", node="3", value=2, max=10),
        event("executed", node="3"),
        event("executed", node="4"),
    ):
        progress.hear(heard)
        shares.append(progress.share)
    assert shares == [0.25, 0.5, 0.625, 0.625, 0.75, 0.99]
    assert not progress.ended


def test_events_of_other_prompts_change_nothing() -> None:
    progress = PromptProgress("p", 1)
    progress.hear(event("executed", "q", node="1"))
    progress.hear(event("executing", "q", node=None))
    assert (progress.share, progress.ended) == (0, False)


@pytest.mark.parametrize("kind", ["execution_success", "execution_error", "execution_interrupted"])
def test_the_end_is_told(kind: str) -> None:
    progress = PromptProgress("p", 1)
    progress.hear(event(kind))
    assert progress.ended
