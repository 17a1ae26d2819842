import json

import pytest

from agents.server.json_body import DEEPEST, BodyError, check_json


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b"5",
        b"[" * DEEPEST + b"]" * DEEPEST,
        b'{"a":' * DEEPEST + b"1" + b"}" * DEEPEST,
        b"[" + b"[]," * 1000 + b"[]]",
        json.dumps({"text": "[" * 1000}).encode(),
        json.dumps({"text": "9" * 5000 + " 1e999"}).encode(),
        b"[" + b"9" * 308 + b", 1.5e300]",
        '{"text": "zoë 😀"}'.encode(),
        rb'{"text": "\ud83d\ude00"}',
        rb'{"text": "\\u0000 \\\\ud800 \u00e9"}',
    ],
)
def test_usable_json_passes(body: bytes) -> None:
    check_json(body)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "is not JSON: Expecting value, at character 0"),
        (b'{"a": ', "is not JSON: Expecting value, at character 6"),
        (b'{"a": "\x00"}', "is not JSON: Invalid control character"),
        (b"\xff", "is not UTF-8"),
        ("{}".encode("utf-16"), "is not UTF-8"),
        (b"[" * (DEEPEST + 1) + b"]" * (DEEPEST + 1), "is nested more than 40 levels deep"),
        (b'{"a":' * (DEEPEST + 1) + b"1" + b"}" * (DEEPEST + 1), "is nested more than 40 levels deep"),
        (b"[" * 100_000 + b"]" * 100_000, "is nested more than 40 levels deep"),
        (b'{"a":' * 100_000, "is nested more than 40 levels deep"),
        (b"NaN", "holds a number that is none"),
        (b"[-Infinity]", "holds a number that is none"),
        (b"9" * 5000, "or too large"),
        (b"1" + b"0" * 400, "or too large"),
        (b"1e999", "or too large"),
        (b"-1.0E+400", "or too large"),
        (rb'{"text": "a\u0000"}', "holds NUL or half of a surrogate pair"),
        (rb'{"text": "\\\u0000"}', "holds NUL or half of a surrogate pair"),
        (rb'{"\ud800": 1}', "holds NUL or half of a surrogate pair"),
        (rb'["\ude00\ud83d"]', "holds NUL or half of a surrogate pair"),
    ],
)
def test_what_no_layer_behind_could_hold_is_refused(body: bytes, reason: str) -> None:
    with pytest.raises(BodyError, match=reason):
        check_json(body)
