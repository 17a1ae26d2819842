"""Two services on one Valkey: whatever is asked of either, the books are the same."""

import asyncio
import json
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle

import pytest
from envoy.service.ratelimit.v3.rls_pb2 import RateLimitResponse

from budgets.matching.policy import Call, Policy
from budgets.metrics import Metrics
from budgets.stores.store import CallId, Hold
from budgets.stores.valkey import EXPIRED_AT_ONCE, ValkeyStore
from tests.integration.budgets.services import Service, running_service
from tests.integration.budgets.stores import RunningValkey
from tests.unit.budgets.policies import budget_document, entry, write
from tests.waiting import until

pytestmark = pytest.mark.anyio

TEAM = {"limit": {"unit": "Tokens", "amount": 1_000}, "window": {"unit": "Month"}}
LAPSED = EXPIRED_AT_ONCE + 50
"""More than one sweep ends."""


@dataclass
class Pair:
    one: Service
    other: Service

    def alternating(self) -> Iterator[Service]:
        return cycle((self.one, self.other))

    async def standing(self, team: str) -> tuple[int, int]:
        """Used and reserved; both services must say the same."""
        said, said_by_the_other = await _standing(self.one, team), await _standing(self.other, team)
        assert said == said_by_the_other
        return said


@pytest.fixture(scope="module")
async def pair(shared_valkey: RunningValkey, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pair]:
    policy = write(tmp_path_factory.mktemp("policy"), budget_document(entry("team", {"team": "*"}, **TEAM)))
    domain = uuid.uuid4().hex
    async with (
        running_service(shared_valkey.url, policy, BUDGETS_DOMAIN=domain) as one,
        running_service(shared_valkey.url, policy, BUDGETS_DOMAIN=domain) as other,
    ):
        yield Pair(one, other)


async def test_a_check_at_one_and_the_charge_at_the_other(pair: Pair) -> None:
    dba = {"team": "dba", "user": "alice"}
    assert (await pair.one.check(dba, "moved", max_tokens=20)).overall_code == RateLimitResponse.OK
    assert await pair.standing("dba") == (0, 100)
    await pair.other.charge(dba, "moved", input=30, output=12)
    assert await pair.standing("dba") == (42, 0)


async def test_a_charge_that_both_get_counts_once(pair: Pair) -> None:
    twice = {"team": "twice"}
    await pair.one.check(twice, "twice")
    await asyncio.gather(*(service.charge(twice, "twice", input=30) for service in (pair.one, pair.other)))
    assert await pair.standing("twice") == (30, 0)


async def test_a_call_that_failed_at_one_is_released_at_the_other(pair: Pair) -> None:
    failed = {"team": "failed"}
    await pair.one.check(failed, "failed")
    await pair.other.end(failed, "failed", 503)
    assert await pair.standing("failed") == (0, 0)


async def test_fifty_at_once_at_the_edge_through_both(pair: Pair) -> None:
    """Each would reserve a tenth of the limit, so ten fit in, whichever service they come through."""
    edge, through = {"team": "edge"}, pair.alternating()
    calls = [(f"edge-{number}", next(through)) for number in range(50)]
    answers = await asyncio.gather(*(service.check(edge, call, max_tokens=50_000) for call, service in calls))
    admitted = [call for (call, _), answer in zip(calls, answers, strict=True) if answer.overall_code == RateLimitResponse.OK]
    assert len(admitted) == 10
    assert _codes(answers) == {"budget_reserved": 40}
    assert await pair.standing("edge") == (0, 1_000)
    await asyncio.gather(*(next(through).charge(edge, call, input=30, output=10) for call in admitted))
    assert await pair.standing("edge") == (400, 0)


async def test_a_raise_at_one_is_followed_by_the_other(pair: Pair) -> None:
    raised = {"team": "raised"}
    await pair.one.charge(raised, "all of it", input=1_000)
    asked = {"budget": "default/limits/team/raised", "limit": 3_000}
    assert (await pair.one.http.post("/v1/budgets/raise", json=asked)).status_code == 200

    async def follows() -> bool:
        answer = await pair.other.check(raised, "a call that is asked about again")
        return bool(answer.overall_code == RateLimitResponse.OK)

    await until(follows, "the other to follow", within=5)


async def test_a_reservation_that_lapses_is_committed_once(pair: Pair, shared_valkey: RunningValkey) -> None:
    """Their calls were checked by a service that is gone."""
    (applying,) = Policy.read(pair.one.policy).applying(Call(((("team", "lapsed"),),), described=True))
    note = json.dumps({"dimensions": {"team": "lapsed"}, "input": 1, "output": 2})
    store = ValkeyStore.connect(shared_valkey.url, pair.one.domain, 2, Metrics())
    now = time.time()
    calls = (CallId(f"lapsed-{number}") for number in range(LAPSED))
    await asyncio.gather(*(store.reserve(call, [Hold(applying.budget, 3)], now - 60, now - 1, note) for call in calls))
    await store.close()

    async def is_settled() -> bool:
        return (await _standing(pair.one, "lapsed"))[1] == 0

    await until(is_settled, "the sweeps of both")
    assert await pair.standing("lapsed") == (3 * LAPSED, 0)
    said = [line for service in (pair.one, pair.other) for line in service.lines if "no charge came in time" in line]
    assert Counter("charged its estimate: request=lapsed-" in line for line in said) == {True: LAPSED}


async def _standing(service: Service, team: str) -> tuple[int, int]:
    budget = (await service.budgets())[f"default/limits/team/{team}"]
    return budget["used"], budget["reserved"]


def _codes(answers: Sequence[RateLimitResponse]) -> Counter[str]:
    return Counter(json.loads(answer.raw_body)["error"]["code"] for answer in answers if answer.raw_body)
