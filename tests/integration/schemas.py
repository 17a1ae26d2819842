"""Schemathesis against a service that runs: all that its OpenAPI document says is tried, and much that it forbids."""

import os
import subprocess
import sys
from pathlib import Path

import schemathesis

EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "12"))
"""Of random requests per operation, beside the edge cases that Schemathesis derives from the document."""
SEQUENCES = 3 * EXAMPLES
"""Of requests where one uses what another answered."""

# HTTP has a server ignore headers that it does not know, which the edge cases do not allow for. To the refusals that
# Schemathesis knows 413 is added. Every warning counts as a failure: each says that a part of the service was not reached.
_CONFIGURATION = """
hooks = "{hooks}"
request-timeout = 20
continue-on-failure = true

[cache]
enabled = false

[generation]
deterministic = true
database = "none"
max-examples = {examples}

[phases.coverage.generation]
allow-extra-parameters = false

[phases.stateful.generation]
max-examples = {sequences}

[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 406, 409, 413, 415, 422, 428, 429, "5xx"]

[warnings]
fail-on = true

{tables}
"""


PROJECT = Path(__file__).parents[2]
"""Whose hooks are to be found, wherever the tests are installed."""


def try_all_of(url: str, folder: Path, hooks: str, *options: str, tables: str = "") -> None:
    """Raises AssertionError with Schemathesis's report where an answer is not what the document says.

    It runs in a process of its own, because it takes random texts from the modules that it finds loaded: among those of all
    tests others than among those of one, so that no two runs would try the same. `hooks` is the module of its hooks, `options`
    are its own, `tables` are added to its configuration.
    """
    configuration = folder / "schemathesis.toml"
    text = _CONFIGURATION.format(hooks=hooks, examples=EXAMPLES, sequences=SEQUENCES, tables=tables)
    configuration.write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(configuration)]
    tried = subprocess.run(
        [*command, "run", f"{url}/openapi.json", "--no-color", *options],
        cwd=folder,
        env=os.environ | {"NO_PROXY": "127.0.0.1", "PYTHONPATH": os.fspath(PROJECT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert tried.returncode == 0, tried.stdout + tried.stderr


def refuse_invalid_document(url: str) -> None:
    """Raises where it breaks the schema of OpenAPI 3.1, or where a link leads to no operation."""
    document = schemathesis.openapi.from_url(f"{url}/openapi.json", config=schemathesis.Config())
    assert document.raw_schema["openapi"].startswith("3.1.")
    document.validate()
    operations = [told for methods in document.raw_schema["paths"].values() for told in methods.values()]
    names = [told["operationId"] for told in operations]
    assert len(set(names)) == len(names)
    answers = [answer for told in operations for answer in told["responses"].values()]
    assert {link["operationId"] for answer in answers for link in answer.get("links", {}).values()} <= set(names)
