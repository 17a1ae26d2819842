"""What Schemathesis is to ask the issuer for; it loads this module itself."""

from typing import Any, TypeAlias

import schemathesis

Case: TypeAlias = schemathesis.Case[Any]

CLIENT_ID, SECRET, SCOPE, AUDIENCE = "ci", "s3cret-of-ci", "llm", "mock-llm"

_KNOWN = {"client_id": CLIENT_ID, "client_secret": SECRET}
_GRANTED = {"scope": SCOPE, "audience": AUDIENCE}


@schemathesis.hook
def map_case(_: schemathesis.HookContext, case: Case) -> Case:
    """Whoever names itself in a form that the document allows is the client of the test, and asks for what that may have.

    Nobody else gets a token. Forms without a name, and all that the document forbids, are left as they are.
    """
    form = case.body
    if isinstance(form, dict) and "client_id" in form and case.meta and case.meta.generation.mode.is_positive:
        case.body = form | _KNOWN | {name: value for name, value in _GRANTED.items() if name in form}
    return case
