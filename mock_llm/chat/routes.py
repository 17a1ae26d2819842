"""`POST /v1/chat/completions`."""

from starlette.types import ASGIApp

from mock_llm.answering import Forms, answer_stream, answer_whole
from mock_llm.chat.answers import Answer
from mock_llm.chat.replies import Reply, reply
from mock_llm.chat.request import read_chat_request
from mock_llm.chat.sayings import Said, say
from mock_llm.endpoint import Endpoint
from mock_llm.mock import Call, Mock

PATH = "/v1/chat/completions"


def chat_completions(mock: Mock) -> Endpoint:
    return Endpoint(mock, PATH, _complete)


def _complete(call: Call) -> ASGIApp:
    asked = read_chat_request(call.body)
    turn = call.begin(asked.model, asked.text, asked.choices, asked.fixed)
    said = say(asked, turn)
    usage = turn.usage(asked.prompt_tokens, sum([each.tokens for each in said]))
    answer_id = turn.draw.answer_id
    answer = Answer(
        answer_id, int(call.mock.clock()), turn.model, _replies(said, answer_id), usage, tells_usage=asked.include_usage
    )
    if asked.stream:
        return answer_stream(turn, usage, Forms(answer.stream, answer.stream_without_usage, answer.empty_stream))
    return answer_whole(turn, usage, Forms(answer.document, answer.document_without_usage, answer.empty_document))


def _replies(said: tuple[Said, ...], answer_id: str) -> tuple[Reply, ...]:
    """No two calls of an answer have one id, whichever choices they are in."""
    return tuple([reply(each, answer_id, index * len(each.calls)) for index, each in enumerate(said)])
