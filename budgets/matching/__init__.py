"""Which budgets of a policy a call falls under."""
