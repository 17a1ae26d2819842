import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mock_llm.strict_json import read_json

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(value=PLAIN, ascii_only=st.booleans())
def test_every_proper_document_is_read_as_it_was_written(value: Any, ascii_only: bool) -> None:
    assert read_json(json.dumps(value, ensure_ascii=ascii_only).encode()) == value


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"a": NaN}', "NaN is not a JSON value"),
        (b'{"a": Infinity}', "Infinity is not a JSON value"),
        (b'{"a": -Infinity}', "-Infinity is not a JSON value"),
        (b'{"a": 1e999}', "a number is too large"),
        (b'{"a": "\\ud800"}', "half of a surrogate pair"),
        (b'{"\\uDFFF": 1}', "half of a surrogate pair"),
        (b"[" * 200_000, "nested too deeply"),
        (b'{"a": 1} x', "Extra data"),
        (b'{"a": 1,}', "trailing comma|double quotes"),
        (b'{"a": 01}', "delimiter"),
        (b"{'a': 1}", "double quotes"),
        (b'{"a": "\x01"}', "control character"),
        (b'{"a": "\xff"}', "utf-8"),
        (b"\xef\xbb\xbf{}", "Expecting value|BOM"),
        ('{"a": 1}'.encode("utf-16"), "utf-8"),
        (b'{"a": ' + b"9" * 5000 + b"}", "4300 digits"),
        (b"", "Expecting value"),
    ],
)
def test_what_another_parser_might_read_otherwise_is_refused(body: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        read_json(body)


def test_a_whole_surrogate_pair_is_one_character() -> None:
    assert read_json(b'"\\ud83d\\ude00"') == "\N{GRINNING FACE}"


def test_of_a_key_given_twice_the_last_counts() -> None:
    assert read_json(b'{"stream": true, "stream": false}') == {"stream": False}
