"""Turns to answer, without a server around them."""

from collections.abc import Awaitable, Callable
from random import Random

from starlette.types import Message

from mock_llm.config import Settings
from mock_llm.draws import Choice, Draw
from mock_llm.faults import Fault
from mock_llm.latency import Latency
from mock_llm.mock import Call, Mock, Turn
from mock_llm.models import Served
from mock_llm.usage import NOTHING_ASKED, Asked, TokenRange

RANGE = TokenRange(400, 1500)
AT_ONCE = Latency()

ANSWER_ID = f"{7:024x}"


def chance(seed: int) -> Random:
    return Random(seed)  # noqa: S311 - no secret


async def nothing_comes() -> Message:
    raise AssertionError("nothing is to be received")


def a_turn(
    *choices: Choice,
    tokens: TokenRange = RANGE,
    asked: Asked = NOTHING_ASKED,
    latency: Latency = AT_ONCE,
    fault: Fault | None = None,
    receive: Callable[[], Awaitable[Message]] = nothing_comes,
    sleep: Callable[[float], Awaitable[object]] | None = None,
) -> Turn:
    """Of one choice, the third essay at 400 tokens, unless others are given. Its delays are drawn with one seed."""
    mock = Mock(Settings(), sleep) if sleep else Mock(Settings())
    call = Call(mock, "/v1/chat/completions", {}, receive)
    call.fault = fault
    draw = Draw(choices or (Choice(2, 400),), ANSWER_ID, chance(7))
    return Turn(call, "m", draw, fault, Served(tokens, latency), asked)
