import asyncio
from typing import Any, cast

import pytest
from a2a.server.events import EventQueue
from a2a.server.tasks import TaskUpdater
from a2a.types import TaskState
from google.protobuf.json_format import MessageToDict

from agents.progress import Delta, Note, Said, ToolAnswered, ToolCalled
from agents.server.messages import usage_metadata
from agents.server.publisher import LONGEST_REPEATED, Publisher
from agents.tasks import PARTIAL
from tests.unit.agents.doubles import USAGE
from tests.unit.agents.serving_agent import Heard
from tests.waiting import until

pytestmark = pytest.mark.anyio

NEVER = 3600.0
COUNTED = usage_metadata(USAGE)


class Queue(Heard):
    @property
    def told(self) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
        """Of each event the text, or the data's kind; the message's metadata, and the event's."""
        return [
            (
                event.status.message.parts[0].text or MessageToDict(event.status.message.parts[0])["metadata"]["kagent_type"],
                MessageToDict(event.status.message.metadata),
                MessageToDict(event.metadata),
            )
            for event in self.events
        ]


def publisher(queue: Queue, interval: float = NEVER) -> Publisher:
    return Publisher(TaskUpdater(cast(EventQueue, queue), "t", "c"), interval)


async def test_words_are_put_together_and_marked_as_partial() -> None:
    queue = Queue()
    telling = publisher(queue, 0.001)
    for word in ("An ", "essay ", "on "):
        telling.tell(Delta(word))
    await until(lambda: len(queue.events) == 1, "the words")
    telling.tell(Delta("indexes."))
    await until(lambda: len(queue.events) == 2, "the words after them")
    assert queue.told == [("An essay on ", {PARTIAL: True}, {}), ("indexes.", {PARTIAL: True}, {})]
    assert {event.status.state for event in queue.events} == {TaskState.TASK_STATE_WORKING}


async def test_all_of_it_is_told_once_more_with_its_usage_on_message_and_event() -> None:
    queue = Queue()
    telling = publisher(queue, 0.001)
    telling.tell(Delta("An essay"))
    await until(lambda: len(queue.events) == 1, "the words")
    telling.tell(Said("An essay.", USAGE))
    await until(lambda: len(queue.events) == 2, "all of it")
    assert queue.told[1] == ("An essay.", COUNTED, COUNTED)


async def test_words_that_are_all_said_by_then_are_not_told_alone() -> None:
    queue = Queue()
    telling = publisher(queue, 0.001)
    telling.tell(Delta("An "))
    telling.tell(Said("An essay.", None))
    await until(lambda: bool(queue.events), "all of it")
    await telling.finish("An essay.")
    assert queue.told == [("An essay.", {}, {})]


async def test_events_come_in_the_order_in_which_things_happened() -> None:
    queue = Queue()
    telling = publisher(queue)
    telling.tell(Said("Let me ask.", USAGE))
    telling.tell(ToolCalled("1", "oracle", {"message": "hi"}))
    telling.tell(ToolAnswered("1", "oracle", {"result": "yes"}))
    telling.tell(Note("The budget is spent."))
    telling.tell(Said("So.", None))
    await telling.finish("So.")
    assert [text for text, _, _ in queue.told] == [
        "Let me ask.", "function_call", "function_response", "The budget is spent.", "So.",
    ]  # fmt: skip


async def test_a_call_of_tools_alone_is_counted_once_on_the_first_of_them() -> None:
    queue = Queue()
    telling = publisher(queue)
    telling.tell(Said("", USAGE))
    for number in ("1", "2"):
        telling.tell(ToolCalled(number, "oracle", {}))
    telling.tell(ToolAnswered("1", "oracle", {"result": "yes"}))
    await telling.finish(None)
    assert queue.told == [("function_call", COUNTED, COUNTED), ("function_call", {}, {}), ("function_response", {}, {})]


@pytest.mark.parametrize(
    ("said", "reply", "told"),
    [
        (None, "4,287 tokens are left.", ["4,287 tokens are left."]),
        ("An essay.", "An essay.", ["An essay."]),
        ("Let me ask.", "So.", ["Let me ask.", "So."]),
        ("An essay.", None, ["An essay."]),
        (None, None, []),
    ],
)
async def test_a_reply_that_the_llm_did_not_say_is_told_once_before_the_end(
    said: str | None, reply: str | None, told: list[str]
) -> None:
    queue = Queue()
    telling = publisher(queue)
    if said:
        telling.tell(Said(said, None))
    await telling.finish(reply)
    assert [text for text, _, _ in queue.told] == told


@pytest.mark.parametrize("reply", [None, "x" * LONGEST_REPEATED + "yz"])
async def test_of_a_long_answer_the_artifact_has_all_and_a_message_the_beginning(reply: str | None) -> None:
    queue = Queue()
    telling = publisher(queue)
    if reply is None:
        telling.tell(Said("x" * LONGEST_REPEATED + "yz", USAGE))
    await telling.finish(reply)
    ((text, _, _),) = queue.told
    assert text == "x" * LONGEST_REPEATED + " … (the whole answer is in the artifact)"


async def test_nothing_is_told_before_the_interval_is_over() -> None:
    queue = Queue()
    telling = publisher(queue)
    telling.tell(Delta("An "))
    telling.tell(Note("It waits."))
    assert queue.events == []
    await telling.finish(None)
    assert [text for text, _, _ in queue.told] == ["It waits."]


async def test_words_that_nobody_has_read_can_be_withdrawn() -> None:
    queue = Queue()
    telling = publisher(queue)
    telling.tell(Delta("An "))
    assert telling.withdraw()
    telling.tell(Delta("Another."))
    telling.tell(Said("Another.", None))
    await telling.finish("Another.")
    assert [text for text, _, _ in queue.told] == ["Another."]


async def test_words_that_were_read_cannot_be_withdrawn_until_all_of_it_was_said() -> None:
    queue = Queue()
    telling = publisher(queue, 0.001)
    telling.tell(Delta("An "))
    await until(lambda: len(queue.events) == 1, "the words")
    assert not telling.withdraw()
    telling.tell(Said("An essay.", None))
    assert telling.withdraw()
    await telling.finish("An essay.")


async def test_an_event_that_cannot_be_published_stops_nothing() -> None:
    queue = Queue(break_after=0)
    telling = publisher(queue, 0.001)
    telling.tell(Note("lost"))
    telling.tell(Delta("lost"))
    await until(lambda: telling._timer is None, "the attempt to publish")
    assert queue.events == []


@pytest.mark.parametrize("told_before", [True, False])
async def test_nothing_is_told_by_itself_once_it_is_closed(told_before: bool) -> None:
    queue = Queue()
    telling = publisher(queue, 0)
    if told_before:
        telling.tell(Note("too late"))
    telling.close()
    if not told_before:
        telling.tell(Note("too late"))
    for _ in range(10):
        await asyncio.sleep(0)
    assert queue.events == []


async def test_what_is_told_while_the_last_words_go_out_waits_for_the_end() -> None:
    class Slow(Queue):
        async def enqueue_event(self, event: Any) -> None:
            telling.close()
            telling.tell(Note("too late"))
            await super().enqueue_event(event)

    queue = Slow()
    telling = publisher(queue, 0)
    telling.tell(Note("in time"))
    await until(lambda: len(queue.events) == 1, "the first note")
    for _ in range(10):
        await asyncio.sleep(0)
    assert [text for text, _, _ in queue.told] == ["in time"]


async def test_nothing_is_told_after_the_end() -> None:
    queue = Queue()
    telling = publisher(queue, 0)
    telling.tell(Delta("An "))
    await telling.finish(None)
    for _ in range(10):
        await asyncio.sleep(0)
    assert queue.events == []
