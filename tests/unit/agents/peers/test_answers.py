from collections.abc import Iterator

import httpx
import pytest
from a2a.client import A2AClientError
from a2a.helpers import new_artifact, new_data_part, new_message, new_task, new_text_artifact, new_text_part
from a2a.types import Part, Task, TaskState
from a2a.utils.errors import TaskNotFoundError
from google.protobuf.struct_pb2 import Struct

from agents.extension import URI
from agents.peers.answers import LONGEST_TEXT, is_spent, kagent_usage, read_usage, text_of_error, text_of_task
from agents.usage import Usage, UsageTree
from tests.unit.agents.doubles import BUDGET


def ended(state: str, *said: Part) -> Task:
    task = new_task("task", "context", TaskState.TASK_STATE_UNSPECIFIED)
    task.status.state = getattr(TaskState, f"TASK_STATE_{state}")
    if said:
        task.status.message.CopyFrom(new_message(list(said)))
    return task


def metadata(**said: object) -> Struct:
    struct = Struct()
    struct.update(said)  # type: ignore[arg-type]
    return struct


def test_the_answer_is_the_artifacts_and_pieces_of_one_are_not_parted() -> None:
    task = ended("COMPLETED", new_text_part("Done."))
    task.artifacts.append(new_artifact([new_text_part("Use an in"), new_text_part("dex.")], "answer"))
    task.artifacts.append(new_text_artifact("more", "And vacuum."))
    assert text_of_task("support", task) == "Use an index.\nAnd vacuum."


def test_without_an_artifact_the_status_is_the_answer() -> None:
    assert text_of_task("support", ended("COMPLETED", new_text_part("Use an index."))) == "Use an index."
    assert "without a text" in text_of_task("support", ended("COMPLETED"))


def test_a_long_answer_is_cut_and_says_so() -> None:
    text = text_of_task("support", ended("COMPLETED", new_text_part("x" * 100_000)))
    assert text == "x" * LONGEST_TEXT + "\n(Cut here: the answer had 100,000 characters.)"


@pytest.mark.parametrize(
    ("state", "says"),
    [
        ("REJECTED", "support refused the task: a -> b -> a"),
        ("FAILED", "support failed: a -> b -> a"),
        ("CANCELED", "support was stopped before it had answered: a -> b -> a"),
        ("INPUT_REQUIRED", "support asks back before it answers; call it again with all that it needs: a -> b -> a"),
        ("AUTH_REQUIRED", "support wants someone to sign in, which this agent cannot do: a -> b -> a"),
        ("WORKING", "support has not answered: a -> b -> a"),
    ],
)
def test_where_there_is_no_answer_the_peers_reason_is_quoted(state: str, says: str) -> None:
    assert text_of_task("support", ended(state, new_text_part("a -> b\n-> a"))) == says


def test_a_reason_is_quoted_up_to_a_length() -> None:
    assert len(text_of_task("support", ended("FAILED", new_text_part("x" * 10_000)))) < 450


def test_a_spent_budget_is_told_with_its_reset_and_what_was_written() -> None:
    task = ended("FAILED", new_text_part("Sorry."), new_data_part({"budget": BUDGET | {"reset_at": "2020-11-21T15:00:00Z"}}))
    spent = (
        "support could not answer: its team's budget is spent (team-token-budget/dba/hour: 5,012 of 5,000 tokens); "
        "it resets at 15:00 UTC on 21 November 2020."
    )
    assert text_of_task("support", task) == spent
    task.artifacts.append(new_text_artifact("answer", "Use an"))
    assert text_of_task("support", task) == f"{spent} Until then it had written:\nUse an"


@pytest.mark.parametrize("reset", [None, "soon", 7, "9999-12-31T23:59:59-23:00", "0001-01-01T00:00:00+14:00", ["x"]])
def test_a_budget_that_is_none_is_told_without_what_is_not_known(reset: object) -> None:
    budget = {"id": 7, "unit": ["x"], "used": "many", "limit": -1, "reset_at": reset}
    text = text_of_task("support", ended("FAILED", new_data_part({"budget": budget})))
    assert text == "support could not answer: its team's budget is spent (0 of 0 tokens); it did not say when it resets."


def test_a_task_that_failed_for_its_budget_would_fail_again() -> None:
    budget = new_data_part({"budget": BUDGET})
    assert is_spent(ended("FAILED", new_text_part("Sorry."), budget))
    assert not is_spent(ended("FAILED", new_text_part("Sorry.")))
    assert not is_spent(ended("FAILED", new_data_part({"budget": "spent"})))
    assert not is_spent(ended("COMPLETED", budget))


def raised(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


def errors() -> Iterator[tuple[Exception, str]]:
    request = httpx.Request("POST", "http://secret.internal/")
    status = httpx.HTTPStatusError(
        "for http://secret.internal/", request=request, response=httpx.Response(503, request=request)
    )
    yield raised(A2AClientError("HTTP 503 http://secret.internal/"), status), "it answered HTTP 503."
    yield raised(A2AClientError("x"), httpx.ConnectError("secret.internal")), "could not be reached"
    yield raised(A2AClientError("x"), httpx.ReadError("secret.internal")), "hung up"
    yield ConnectionError("secret.internal"), "hung up"
    yield TaskNotFoundError("No such task."), "refused the call: No such task."
    yield KeyError("secret.internal"), "cannot read"


@pytest.mark.parametrize(("error", "says"), list(errors()))
def test_an_error_is_told_without_an_address(error: Exception, says: str) -> None:
    text = text_of_error("support", error)
    assert text.startswith("support ")
    assert says in text
    assert "secret.internal" not in text


def test_usage_is_the_peers_tree() -> None:
    tree = UsageTree("support", Usage(1, 2, 3), 1, [UsageTree("web", Usage(4, 5, 9), 2)])
    told = metadata(**{URI: {"usage": tree.document()}, "kagent_usage_metadata": {"totalTokenCount": 3}})
    assert read_usage("support", told) == tree
    assert kagent_usage(tree) == {"promptTokenCount": 5, "candidatesTokenCount": 7, "totalTokenCount": 12}


def test_usage_may_be_told_as_kagents_agents_tell_it() -> None:
    told = metadata(kagent_usage_metadata={"promptTokenCount": 13, "candidatesTokenCount": 700})
    assert read_usage("support", told) == UsageTree("support", Usage(13, 700, 713), 1)


@pytest.mark.parametrize("said", [{}, {URI: 7}, {URI: {"usage": []}}, {"kagent_usage_metadata": "x"}, {"x": float("nan")}])
def test_usage_that_cannot_be_read_is_not_known(said: dict[str, object]) -> None:
    assert read_usage("support", metadata(**said)) is None
