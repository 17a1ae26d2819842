"""The form of a request, and what is said of one that is malformed."""

import base64

import pytest
from starlette.requests import Request
from starlette.types import Message

from jwt_issuer.oauth.errors import TokenError
from jwt_issuer.oauth.request import LARGEST_BODY, TokenRequest, read_token_request

from .token_clients import basic

pytestmark = pytest.mark.anyio

FORM = b"application/x-www-form-urlencoded"
GRANT = b"grant_type=client_credentials"
POSTED = GRANT + b"&client_id=ci&client_secret=s3cret"
CI = TokenRequest("ci", "s3cret", None, None)


def request(*chunks: bytes | None, **headers: bytes) -> Request:
    """None stands for a caller that hangs up."""
    messages: list[Message] = [
        {"type": "http.disconnect"}
        if chunk is None
        else {"type": "http.request", "body": chunk, "more_body": index + 1 < len(chunks)}
        for index, chunk in enumerate(chunks)
    ]

    async def receive() -> Message:
        return messages.pop(0)

    stated = {"content_type": FORM, **headers}
    raw = [(name.replace("_", "-").encode(), value) for name, value in stated.items()]
    return Request({"type": "http", "method": "POST", "headers": raw}, receive)


def authorization(client_id: str, secret: str) -> bytes:
    return basic(client_id, secret)["authorization"].encode()


async def refusal(asked: Request) -> tuple[int, str, str]:
    with pytest.raises(TokenError) as error:
        await read_token_request(asked)
    return error.value.status, error.value.code, error.value.description


async def test_id_and_secret_in_the_form() -> None:
    assert await read_token_request(request(POSTED)) == CI


async def test_id_and_secret_in_the_header_each_encoded() -> None:
    asked = request(GRANT, authorization=authorization("ci:1 é", "a+b%c: "))
    assert await read_token_request(asked) == TokenRequest("ci:1 é", "a+b%c: ", None, None)


@pytest.mark.parametrize("scheme", [b"basic", b"BASIC", b"Basic "])
async def test_the_scheme_in_letters_of_any_case(scheme: bytes) -> None:
    asked = request(GRANT, authorization=scheme + b" " + base64.b64encode(b"ci:s3cret"))
    assert await read_token_request(asked) == CI


async def test_the_id_in_the_form_beside_the_header_if_it_is_the_same() -> None:
    assert await read_token_request(request(GRANT + b"&client_id=ci", authorization=authorization("ci", "s3cret"))) == CI
    said = await refusal(request(GRANT + b"&client_id=cd", authorization=authorization("ci", "s3cret")))
    assert said[:2] == (400, "invalid_request")


async def test_what_is_asked_for() -> None:
    asked = request(POSTED + b"&scope=llm+tools&audience=https%3A%2F%2Fother.example")
    assert await read_token_request(asked) == TokenRequest("ci", "s3cret", "llm tools", "https://other.example")


async def test_a_body_in_pieces_and_a_content_type_with_a_parameter() -> None:
    asked = request(POSTED[:20], b"", POSTED[20:], content_type=FORM.upper() + b" ; charset=utf-8")
    assert await read_token_request(asked) == CI


async def test_unknown_parameters_are_ignored_also_twice() -> None:
    assert await read_token_request(request(POSTED + b"&resource=a&resource=b&x&=&&")) == CI


async def test_a_parameter_without_a_value_is_absent() -> None:
    assert await read_token_request(request(POSTED + b"&scope=&audience")) == CI
    assert (await refusal(request(b"grant_type=&client_id=ci&client_secret=s")))[1] == "invalid_request"
    assert (await refusal(request(GRANT + b"&client_id=ci&client_secret=")))[1] == "invalid_client"


@pytest.mark.parametrize("name", [b"grant_type", b"client_id", b"client_secret", b"scope", b"audience"])
@pytest.mark.parametrize("value", [b"=x", b"="])
async def test_a_parameter_twice_is_refused(name: bytes, value: bytes) -> None:
    said = await refusal(request(POSTED + b"&scope=x&audience=x&" + name + value))
    assert said == (400, "invalid_request", "A parameter stands in the form twice. Send each once.")


@pytest.mark.parametrize("content_type", [b"application/json", b"", b"multipart/form-data; boundary=x"])
async def test_what_is_no_form_is_refused(content_type: bytes) -> None:
    assert (await refusal(request(POSTED, content_type=content_type)))[:2] == (400, "invalid_request")


@pytest.mark.parametrize("body", [b"\xff", POSTED + b"&x=%ff", POSTED + b"&x=%ed%a0%80", b"&".join([POSTED, *[b"x=1"] * 100])])
async def test_a_form_that_cannot_be_read_is_refused(body: bytes) -> None:
    assert (await refusal(request(body)))[:2] == (400, "invalid_request")


@pytest.mark.parametrize("field", [b"&scope=a%00", b"&x=%00", b"&%00=x", b"&scope=\0"])
async def test_the_character_nul_is_refused(field: bytes) -> None:
    said = await refusal(request(POSTED + field))
    assert said == (400, "invalid_request", "The form holds the character NUL. Leave it out.")


async def test_a_body_of_the_largest_size_is_read_and_one_byte_more_is_not() -> None:
    largest = POSTED + b"&x=" + b"x" * (LARGEST_BODY - len(POSTED) - 3)
    assert await read_token_request(request(largest)) == CI
    assert (await refusal(request(largest, b"x")))[:2] == (413, "invalid_request")


async def test_a_body_that_is_too_large_is_not_read_to_its_end() -> None:
    read = 0

    async def receive() -> Message:
        nonlocal read
        read += 1
        return {"type": "http.request", "body": b"x" * 5000, "more_body": True}

    with pytest.raises(TokenError) as error:
        await read_token_request(Request({"type": "http", "headers": [(b"content-type", FORM)]}, receive))
    assert error.value.status == 413
    assert error.value.headers == {"connection": "close"}
    assert read == 2


async def test_a_caller_that_hangs_up_is_a_malformed_request() -> None:
    assert (await refusal(request(b"grant_type=client_cr", None)))[:2] == (400, "invalid_request")


async def test_a_grant_that_is_missing_or_another() -> None:
    credentials = b"&client_id=ci&client_secret=s3cret"
    said = "grant_type is missing. Send grant_type=client_credentials."
    assert await refusal(request(credentials)) == (400, "invalid_request", said)
    for grant in (b"password", b"authorization_code", b"CLIENT_CREDENTIALS"):
        assert (await refusal(request(b"grant_type=" + grant + credentials)))[:2] == (400, "unsupported_grant_type")


async def test_two_ways_to_authenticate_are_refused() -> None:
    said = await refusal(request(POSTED, authorization=authorization("ci", "s3cret")))
    assert said[:2] == (400, "invalid_request")
    asked = request(GRANT)
    asked.scope["headers"] += [(b"authorization", authorization("ci", "s3cret"))] * 2
    assert (await refusal(asked))[:2] == (400, "invalid_request")


@pytest.mark.parametrize(
    "header",
    [
        b"Bearer abc",
        b"Basic",
        b"",
        b"Basic !!!",
        b"Basic Y2k6czNjcmV0=",
        b"Basic \xff",
        *(b"Basic " + base64.b64encode(pair) for pair in (b"", b"ci", b"ci:", b":s", b"\xff:s", b"ci:%ff", b"ci:%00")),
    ],
)
async def test_a_header_that_names_no_client_is_not_authentication(header: bytes) -> None:
    with pytest.raises(TokenError) as error:
        await read_token_request(request(GRANT, authorization=header))
    assert (error.value.status, error.value.code) == (401, "invalid_client")
    assert error.value.headers["www-authenticate"].startswith("Basic realm=")


@pytest.mark.parametrize("form", [b"", b"&client_id=ci", b"&client_secret=s3cret"])
async def test_without_an_id_and_a_secret_nobody_is_authenticated(form: bytes) -> None:
    assert (await refusal(request(GRANT + form)))[:2] == (401, "invalid_client")


def test_no_repr_shows_the_secret() -> None:
    assert "s3cret" not in repr(CI)
