"""Embeddings through the official SDK, which asks for base64 and unpacks it unless told otherwise."""

import math
from collections.abc import Iterator

import pytest
from openai import BadRequestError

from .openai_client import connect, connect_async, outcomes, totals
from .serving import serving

pytestmark = pytest.mark.anyio

MODEL = "text-embedding-3-small"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving("mock_llm") as (_, base):
        yield base


@pytest.fixture
def user(request: pytest.FixtureRequest) -> str:
    return str(request.node.name)


def test_vectors_are_the_same_however_they_are_encoded(url: str, user: str) -> None:
    texts = ["why is the database slow", "bananas"]
    with connect(url, user, max_retries=0) as openai:
        default = openai.embeddings.create(model=MODEL, input=texts)
        numbers = openai.embeddings.create(model=MODEL, input=texts, encoding_format="float")
    for one, other in zip(default.data, numbers.data, strict=True):
        assert len(one.embedding) == 1536
        assert one.embedding == pytest.approx(other.embedding)
        assert math.isclose(math.hypot(*one.embedding), 1, abs_tol=1e-5)
    assert [row.index for row in default.data] == [0, 1]
    assert default.data[0].embedding != default.data[1].embedding
    assert totals(url, user) == (2, default.usage.prompt_tokens + numbers.usage.prompt_tokens, 0)


async def test_dimensions_and_tokens_async(url: str, user: str) -> None:
    async with connect_async(url, user, max_retries=0) as openai:
        told = await openai.embeddings.create(model=MODEL, input=[[1, 2, 3], [4]], dimensions=8)
    assert [len(row.embedding) for row in told.data] == [8, 8]
    assert (told.usage.prompt_tokens, told.usage.total_tokens, told.model) == (4, 4, MODEL)


def test_a_refusal(url: str, user: str) -> None:
    with connect(url, user, max_retries=0) as openai, pytest.raises(BadRequestError) as caught:
        openai.embeddings.create(model=MODEL, input="")
    assert (caught.value.param, caught.value.code) == ("input", "invalid_value")
    assert outcomes(url, user) == ["refused"]
