"""What Schemathesis is to leave out of its requests to the mock; it loads this module itself."""

import re
from typing import Any, TypeAlias

import schemathesis

Case: TypeAlias = schemathesis.Case[Any]

_MADE_TO_FAIL = re.compile(r"(server_error|overloaded)(\*[0-9]{1,4})?")


@schemathesis.hook
def map_case(_: schemathesis.HookContext, case: Case) -> Case:
    # To JSON Schema 3.0 is an integer; to OpenAI, and so to the mock, it is none.
    case.body = _with_whole_numbers_as_integers(case.body)
    # What was asked for would look like a fault of the mock itself. That of 429 remains.
    if _MADE_TO_FAIL.fullmatch(str(case.headers.get("x-mock-fault")).strip()):
        del case.headers["x-mock-fault"]
    if case.operation.path.startswith("/v1/responses"):
        # A response is only there for the caller whom it was given to, so that all are the same one.
        for header in ("x-team-id", "x-user-id"):
            case.headers.pop(header, None)
    if case.meta and case.meta.generation.mode.is_positive:
        # No random text is the id of an item of the response.
        case.query.pop("after", None)
    return case


def _with_whole_numbers_as_integers(value: Any) -> Any:
    match value:
        case float() if value.is_integer():
            return int(value)
        case list():
            return [_with_whole_numbers_as_integers(each) for each in value]
        case dict():
            return {name: _with_whole_numbers_as_integers(each) for name, each in value.items()}
    return value
