"""The A2A extension by which agents tell one another of budgets. Its URI is the key of its object in every `metadata`.

On a message to an agent: `{"path": ["ns/dba-agent", ...], "allowance": {"tokens": 2000}}`, both optional: the agents above,
the first one first, and what the callee and the agents that it calls may spend together.

On a finished task: `{"usage": {...}, "budget": {...}, "warning": "...", "ladder": [...]}`: the usage tree of `agents.usage`;
the meter of the tightest budget `{"limit", "remaining", "reset", "unit"}`, where the gateway said; a warning from 80 % on; and
what the agent did to spend less. On a failed task a data part holds `{"budget": {...}}`, the object of the gateway's refusal.
"""

URI = "urn:agentic-budgets:a2a:budget:1"

DESCRIPTION = (
    "Usage of a task and of the agents it called, as a tree; the tightest budget; what a spent budget was; "
    "and an allowance in tokens that a caller hands down."
)
