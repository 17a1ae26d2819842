"""Schemathesis against a service that runs: all that its OpenAPI document says is tried, and much that it forbids."""

import os
import subprocess
import sys
from pathlib import Path

EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "20"))
"""Of random requests per operation, beside the edge cases that Schemathesis derives from the document."""
SEQUENCES = 12 * EXAMPLES
"""Of requests where one uses what another answered."""

# HTTP has a server ignore headers that it does not know, which the edge cases do not allow for. To the refusals that
# Schemathesis knows 413 is added. Of a parameter that may be any text nothing wrong can be generated, which is no ill health.
# Every warning counts as a failure: each says that a part of the service was not reached.
_CONFIGURATION = """
hooks = "{hooks}"
request-timeout = 20
continue-on-failure = true
suppress-health-check = ["filter_too_much"]

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
"""


def try_all_of(url: str, folder: Path, hooks: str) -> None:
    """Raises AssertionError with Schemathesis's report where an answer is not what the document says.

    It runs in a process of its own, because it takes random texts from the modules that it finds loaded: among those of all
    tests others than among those of one, so that no two runs would try the same. `hooks` is the module of its hooks.
    """
    configuration = folder / "schemathesis.toml"
    text = _CONFIGURATION.format(hooks=hooks, examples=EXAMPLES, sequences=SEQUENCES)
    configuration.write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(configuration)]
    tried = subprocess.run(
        [*command, "run", f"{url}/openapi.json", "--no-color"],
        cwd=folder,
        env=os.environ | {"NO_PROXY": "127.0.0.1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert tried.returncode == 0, tried.stdout + tried.stderr
