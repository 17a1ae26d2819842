"""No sequence of checks, charges, clock steps, restarts and edits makes the books differ from a plain model of them.

Two replicas of the engine share one store; each step goes to one of the two.
"""

import asyncio
import tempfile
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from budgets.budget import Budget, Usage
from budgets.charging import Charging
from budgets.engine import Behaviour, Engine
from budgets.estimates import Estimates
from budgets.matching.policy import Call
from budgets.metrics import Metrics
from budgets.overview import Overview
from budgets.rules import Rules
from budgets.stores.memory import MemoryStore
from budgets.stores.store import Store
from budgets.stores.valkey import ValkeyStore
from tests.integration.budgets.ledger_model import Model
from tests.integration.budgets.stores import RunningValkey

BURST = 4
RESERVATION_LIFE = 330.0

POLICY = """\
apiVersion: enterpriseagentgateway.solo.io/v1alpha1
kind: EnterpriseAgentgatewayBudget
metadata: {{name: all, namespace: test}}
spec:
  budgets:
    - name: everyone
      limit: {{unit: Tokens, amount: {everyone}}}
      window: {{unit: Week}}
      onBudgetExceeded: Block
    - name: team
      subject: {{team: "*"}}
      limit: {{unit: Tokens, amount: {team}}}
      window: {{unit: Day}}
      onBudgetExceeded: {action}
    - name: dba
      subject: {{team: dba}}
      limit: {{unit: USD, amount: "{dollars}"}}
      window: {{unit: Month, alignment: Calendar}}
      onBudgetExceeded: Block
    - name: user
      subject: {{team: "*", user: "*"}}
      limit: {{unit: Tokens, amount: {user}}}
      window: {{unit: Day, alignment: Calendar, timeZone: Europe/Berlin}}
      onBudgetExceeded: Block
"""

TEAMS = st.sampled_from(["dba", "support"])
USERS = st.sampled_from(["alice", "bob"])
TOKENS = st.integers(0, 400)
LIMITS = st.integers(0, 2000)
REPLICAS = st.integers(0, 1)


class AsAsked(Estimates):
    """The estimate is what the caller allows, so that the model need not learn means too."""

    def estimate(self, dimensions: Mapping[str, str], max_tokens: int | None = None) -> Usage:
        return Usage(output=max_tokens or 0)

    def unread(self, estimate: Usage, max_tokens: int | None = None) -> Usage:
        return estimate


class Books(RuleBasedStateMachine):
    valkey: ClassVar[str | None]

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.domain = uuid.uuid4().hex
        self.now = 1_700_000_000.0
        self.model = Model(BURST)
        self.calls: list[tuple[str, Call]] = []
        self.memory = MemoryStore()
        self.stores: list[Store] = []

    @initialize(everyone=LIMITS, team=LIMITS, user=LIMITS, cents=LIMITS, audited=st.booleans())
    def start(self, everyone: int, team: int, user: int, cents: int, audited: bool) -> None:
        self.edit(everyone, team, user, cents, audited)
        self.stores = [self._store(), self._store()]
        self.engines = [self._engine(0), self._engine(1)]

    @rule(replica=REPLICAS, team=TEAMS, user=USERS, allowed=st.integers(1, 400))
    def check(self, replica: int, team: str, user: str, allowed: int) -> None:
        call = Call(((("team", team), ("user", user), ("model", "gpt-4o")),), described=True)
        self.calls.append((f"call-{len(self.calls)}", call))
        self._check(replica, len(self.calls) - 1, allowed)

    @precondition(lambda self: self.calls)
    @rule(replica=REPLICAS, pick=st.integers(0), allowed=st.integers(1, 400))
    def check_again(self, replica: int, pick: int, allowed: int) -> None:
        self._check(replica, pick % len(self.calls), allowed)

    @precondition(lambda self: self.calls)
    @rule(replica=REPLICAS, pick=st.integers(0), into=TOKENS, out=TOKENS)
    def charge(self, replica: int, pick: int, into: int, out: int) -> None:
        """Also of calls that were refused, released, charged or given up before."""
        name, call = self.calls[pick % len(self.calls)]
        usage = Usage(input=into, output=out)
        self.runner.run(self.engines[replica].charge(call, [usage], name))
        self.model.charge(name, self._costs(call, usage), self.now)

    @precondition(lambda self: self.calls)
    @rule(replica=REPLICAS, pick=st.integers(0), status=st.sampled_from([0, 200, 400, 503]))
    def end(self, replica: int, pick: int, status: int) -> None:
        name, call = self.calls[pick % len(self.calls)]
        self.runner.run(self.engines[replica].ended(call, status, name))
        if status >= 400:
            self.model.release(name)
        else:
            self.model.commit(name)

    @rule(seconds=st.one_of(st.integers(1, 1000), st.sampled_from([-864, -60, 3_600, 43_200, 86_400, 700_000, 3_000_000])))
    def step_the_clock(self, seconds: int) -> None:
        self.now += seconds

    @rule(replica=REPLICAS)
    def sweep(self, replica: int) -> None:
        self.runner.run(self.engines[replica].expire())
        self.model.expire(self.now)

    @rule(replica=REPLICAS, team=TEAMS)
    def reset(self, replica: int, team: str) -> None:
        balances = self.runner.run(self._overview(replica).reset(lambda budget: budget.subject.get("team") == team))
        for balance in balances:
            self.model.reset(balance.budget, self.now)

    @rule(replica=REPLICAS)
    def restart(self, replica: int) -> None:
        self._leave(self.stores[replica])
        self.stores[replica] = self._store()
        self.engines[replica] = self._engine(replica)

    @rule(everyone=LIMITS, team=LIMITS, user=LIMITS, cents=LIMITS, audited=st.booleans())
    def edit(self, everyone: int, team: int, user: int, cents: int, audited: bool) -> None:
        action = "Audit" if audited else "Block"
        text = POLICY.format(everyone=everyone, team=team, user=user, dollars=f"{cents / 1_000_000:.6f}", action=action)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "policy.yaml")
            file.write_text(text, encoding="utf-8")
            self.in_force = Rules.read(file)

    @invariant()
    def the_books_agree(self) -> None:
        if not self.stores:
            return
        for balance in self.runner.run(self._overview(0).all()):
            budget = balance.budget
            counted = (balance.used, balance.reserved)
            assert counted == (self.model.used(budget, self.now), self.model.held(budget, self.now)), budget.id

    def teardown(self) -> None:
        for store in self.stores:
            self._leave(store)
        self.runner.close()

    def _check(self, replica: int, number: int, allowed: int) -> None:
        name, call = self.calls[number]
        decision = self.runner.run(self.engines[replica].check(call, name, allowed))
        costs = self._costs(call, Usage(output=allowed))
        assert decision.admitted == self.model.check(name, costs, self.now, self.now + RESERVATION_LIFE)

    def _costs(self, call: Call, usage: Usage) -> dict[Budget, int]:
        gpt_4o = usage.input * 2_500_000 + usage.output * 10_000_000
        found = [each.budget for each in self.in_force.policy.applying(call)]
        return {budget: usage.tokens if budget.measure.value == "tokens" else gpt_4o for budget in found}

    def _leave(self, store: Store) -> None:
        async def close() -> None:
            if isinstance(store, ValkeyStore):
                await store.close()
                await asyncio.sleep(0)  # for the transport, which closes a moment later

        self.runner.run(close())

    def _store(self) -> Store:
        if self.valkey is None:
            return self.memory

        async def connect() -> Store:
            assert self.valkey
            return ValkeyStore.connect(self.valkey, self.domain, 2, Metrics())

        return self.runner.run(connect())

    def _engine(self, replica: int) -> Engine:
        store = self.stores[replica]
        return Engine(
            lambda: self.in_force,
            store,
            Charging(store),
            Metrics(),
            behaviour=Behaviour(burst=BURST, reservation_life=RESERVATION_LIFE),
            estimates=AsAsked(first=1),
            clock=lambda: self.now,
        )

    def _overview(self, replica: int) -> Overview:
        return Overview(lambda: self.in_force, self.stores[replica], self.engines[replica].raises, lambda: self.now)


@pytest.mark.anyio
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("kind", "examples"), [("valkey", 60), ("memory", 150)])
async def test_no_sequence_of_steps_makes_the_books_differ(shared_valkey: RunningValkey, kind: str, examples: int) -> None:
    class OnThatStore(Books):
        valkey = shared_valkey.url if kind == "valkey" else None

    many = settings(max_examples=examples, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck))
    # In a thread, because the machine is no coroutine and has a loop of its own.
    await asyncio.to_thread(run_state_machine_as_test, OnThatStore, settings=many)
