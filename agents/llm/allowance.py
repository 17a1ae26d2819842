"""The tokens that a caller hands down with a task: what a spent allowance comes to.

No gateway knows of it; it is a promise among agents, and so it ends a task in the same way as a budget of the gateway's.
"""

from agents.outcomes import BudgetExhausted, Meter
from agents.run import Run


def allowance_spent(run: Run) -> BudgetExhausted:
    allowance = run.lineage.allowance or 0
    budget = {
        "id": "allowance",
        "subject": {"task": run.task_id},
        "unit": "tokens",
        "limit": allowance,
        "used": run.usage.total,
        "remaining": 0,
        "window": "task",
        "retryable": False,
    }
    return BudgetExhausted(None, budget, None, None, Meter())
