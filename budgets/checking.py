"""`budgets check`: what a policy means, or what is wrong with it."""

import os
from pathlib import Path

from budgets.config import Settings
from budgets.documents.errors import PolicyError
from budgets.rules import Rules
from budgets.startup import described


def check(path: Path, domain: str | None) -> None:
    """As the service would read it. Raises SystemExit when the policy is wrong."""
    served = domain or os.environ.get("BUDGETS_DOMAIN") or Settings.model_fields["domain"].default
    try:
        rules = Rules.read(path, served)
    except PolicyError as error:
        raise SystemExit(str(error)) from None
    for budget in rules.policy.budgets():
        print(described(budget))
    for warning in rules.warnings:
        print(f"Note: {warning}")
