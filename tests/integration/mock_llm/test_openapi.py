"""The mock against its own OpenAPI document; that every route is in it, a unit test says.

SCHEMATHESIS_EXAMPLES=1000 pytest --timeout=0 tests/integration/mock_llm/test_openapi.py      looks deeper than the tests do
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.mock_llm import openapi_hooks
from tests.integration.mock_llm.serving import serving
from tests.integration.schemas import refuse_invalid_document, try_all_of

# Any text may be the name of a model, so that the search for one that may not would take long and find none.
ANY_MODEL = """
[[operations]]
include-path = "/v1/models/{model}"
generation.mode = "positive"
"""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving("mock_llm") as (_, url):
        yield url


# Apart, because DELETE /ledger would forget the responses that the next requests are about.
@pytest.mark.parametrize("option", ["--include-path-regex", "--exclude-path-regex"])
def test_every_answer_is_one_that_the_document_describes(url: str, tmp_path: Path, option: str) -> None:
    try_all_of(url, tmp_path, openapi_hooks.__name__, option, "^/v1/responses", tables=ANY_MODEL)


def test_the_document_is_valid(url: str) -> None:
    refuse_invalid_document(url)
