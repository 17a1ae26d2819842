"""The vectors as OpenAI's list of embeddings."""

from mock_llm.chat.pieces import encode
from mock_llm.embeddings.request import EmbeddingsRequest
from mock_llm.embeddings.vectors import in_base64, vector
from mock_llm.usage import Usage


def embeddings_document(asked: EmbeddingsRequest, model: str, usage: Usage | None) -> bytes:
    """Without a usage where that is None."""
    # An input that stands there twice is computed once.
    values = {text: _value(asked, text) for text in dict.fromkeys(asked.texts)}
    data = (
        b'{"object":"embedding","index":%d,"embedding":%b}' % (index, values[text]) for index, text in enumerate(asked.texts)
    )
    return b'{"object":"list","data":[%b],"model":%b%b}' % (b",".join(data), encode(model), _usage(usage))


def empty_document(model: str, usage: Usage) -> bytes:
    return b'{"object":"list","data":[],"model":%b%b}' % (encode(model), _usage(usage))


def _value(asked: EmbeddingsRequest, text: str) -> bytes:
    numbers = vector(text, asked.dimensions)
    return encode(in_base64(numbers) if asked.in_base64 else numbers.tolist())


def _usage(usage: Usage | None) -> bytes:
    if usage is None:
        return b""
    return b',"usage":{"prompt_tokens":%d,"total_tokens":%d}' % (usage.prompt_tokens, usage.prompt_tokens)
