"""The mock against its own OpenAPI document.

SCHEMATHESIS_EXAMPLES=1000 pytest --timeout=0 tests/integration/mock_llm/test_openapi.py      looks deeper than the tests do
"""

from pathlib import Path

from tests.integration.mock_llm import openapi_hooks
from tests.integration.mock_llm.serving import serving
from tests.integration.schemas import try_all_of


def test_every_answer_is_one_that_the_document_describes(tmp_path: Path) -> None:
    with serving("mock_llm") as (_, url):
        try_all_of(url, tmp_path, openapi_hooks.__name__)
