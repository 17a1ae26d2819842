"""The walkthrough of virtual keys: a budget for each user, tiers and tenants, as the guide writes them."""

import json

import httpx
import pytest

from tests.integration.gateway.stage import MESSAGES, Stage, shipped

pytestmark = pytest.mark.anyio

KEYS = shipped("examples/virtual-keys")
TIERS = shipped("examples/tiers")
TENANTS = shipped("examples/tenants")

ALICE = "sk-alice-abc123def456"
BOB = "sk-bob-xyz789uvw012"
CHARLIE = "sk-charlie-ghi345jkl678"


async def test_alice_is_refused_after_she_has_crossed_a_hundred_tokens_and_bob_goes_on(stage: Stage) -> None:
    await stage.take_up(KEYS)
    answers = [await stage.spend(ALICE, 10, completion) for completion in (19, 12, 20, 14, 9)]  # 29, 22, 30, 24: 105 in all
    assert [answered.status_code for answered in answers] == [200, 200, 200, 200, 429]
    refusal = answers[-1]
    assert (refusal.headers["x-ratelimit-limit"], refusal.headers["x-ratelimit-remaining"]) == ("100", "0")
    budget = refusal.json()["error"]["budget"]
    assert (budget["id"], budget["subject"], budget["used"]) == ("daily-tokens/alice/year", {"user_id": "alice"}, 105)
    assert len(stage.llm.heard) == 4

    assert [(await stage.spend(BOB, 10, 19)).status_code for _ in range(3)] == [200, 200, 200]
    budgets = await stage.budgets()
    assert {name: budget["used"] for name, budget in budgets.items()} == {
        "daily-tokens/alice/year": 105,
        "daily-tokens/bob/year": 87,
    }


@pytest.mark.parametrize("authorization", ["Bearer sk-mallory-abc123def456", None], ids=["an unknown key", "no key"])
async def test_whoever_has_no_key_is_turned_away_and_costs_nothing(stage: Stage, authorization: str | None) -> None:
    await stage.take_up(KEYS)
    forwarded = await stage.forwarded()
    headers = {"authorization": authorization} if authorization else {}
    answered = await stage.http.post(f"{stage.gateway}/v1/chat/completions", json={"messages": MESSAGES}, headers=headers)
    assert (answered.status_code, answered.json()["error"]["type"]) == (401, "authentication_error")
    assert (await stage.forwarded(), stage.llm.heard) == (forwarded, [])
    assert {budget["used"] for budget in (await stage.settled()).values()} <= {0}


async def test_a_key_reaches_neither_the_llm_nor_any_log(stage: Stage) -> None:
    await stage.take_up(KEYS)
    request_id = (await stage.spend(ALICE, 10, 20)).headers["x-request-id"]
    await stage.call("sk-mallory-abc123def456")
    await stage.logged("charged: ", request_id)
    (heard,) = stage.llm.heard
    assert "authorization" not in heard.headers
    assert ALICE not in str(heard)
    everything = "\n".join([line for _, line in stage.system.lines] + stage.system.said)
    assert "sk-" not in everything


@pytest.mark.parametrize(("tier", "limit"), [("free", 10_000), ("standard", 100_000), ("premium", 500_000)])
async def test_each_tier_has_its_own_limit(stage: Stage, tier: str, limit: int) -> None:
    tiers = with_key(TIERS, "dave", "sk-dave-standard-0001", user_id="dave", tier="standard")
    await stage.take_up(tiers)
    key, user = {"free": (CHARLIE, "charlie"), "standard": ("sk-dave-standard-0001", "dave"), "premium": (ALICE, "alice")}[tier]
    headers = (await stage.spend(key, 10, 20)).headers
    assert (headers["x-ratelimit-limit"], headers["x-ratelimit-remaining"]) == (str(limit), str(limit))
    budgets = await stage.budgets()
    assert {name: each["used"] for name, each in budgets.items() if each["used"]} == {f"daily-tokens/{tier}/{user}/year": 30}


async def test_a_user_of_a_tier_that_is_spent_is_refused_and_one_of_another_goes_on(stage: Stage) -> None:
    await stage.take_up(TIERS)
    assert (await stage.spend(CHARLIE, 4_000, 6_000)).status_code == 200
    assert (await stage.call(CHARLIE)).headers["x-ratelimit-limit"] == "10000"
    assert [(await stage.call(key)).status_code for key in (CHARLIE, ALICE)] == [429, 200]


async def test_a_user_has_a_bucket_in_each_tenant(stage: Stage) -> None:
    await stage.take_up(TENANTS)
    acme, globex = "sk-acme-alice-abc123", "sk-globex-alice-def456"
    assert (await stage.spend(acme, 20_000, 30_000)).headers["x-ratelimit-limit"] == "50000"
    assert (await stage.call(acme)).status_code == 429
    assert (await stage.spend(globex, 10, 20)).status_code == 200
    assert {name: budget["used"] for name, budget in (await stage.budgets()).items()} == {
        "daily-tokens/acme/alice/year": 50_000,
        "daily-tokens/globex/alice/year": 30,
    }


async def test_a_key_that_is_added_is_let_in_and_one_that_is_taken_out_is_not_any_more(stage: Stage) -> None:
    await stage.take_up(KEYS)
    pid, eve = stage.system.supervisor.pid_of("budgets"), "sk-eve-0123456789abc"
    assert (await stage.call(eve)).status_code == 401
    await stage.edit(with_key(KEYS, "eve", eve, user_id="eve"))
    assert [(await stage.spend(key, 10, 20)).status_code for key in (eve, ALICE)] == [200, 200]
    await stage.edit(KEYS)
    assert [(await stage.call(key)).status_code for key in (eve, ALICE)] == [401, 200]
    assert stage.system.supervisor.pid_of("budgets") == pid
    assert (await stage.settled())["daily-tokens/eve/year"]["used"] == 30


async def test_headers_of_the_callers_own_do_not_move_a_call_into_another_budget(stage: Stage) -> None:
    await stage.take_up(TIERS)
    spoofed = {"x-user-id": "alice", "x-dimension-tier": "premium", "x-virtual-key": "alice", "x-team-id": "dba"}
    answered: httpx.Response = await stage.call(CHARLIE, headers=spoofed)
    assert answered.headers["x-ratelimit-limit"] == "10000"
    assert await stage.used("daily-tokens/free/charlie/year") == 30


def with_key(documents: dict[str, str], name: str, key: str, **metadata: str) -> dict[str, str]:
    """The same policy with one key more in its first Secret."""
    entry = json.dumps({"key": key, "metadata": metadata})
    return documents | {"keys.yaml": documents["keys.yaml"].replace("stringData:\n", f"stringData:\n  {name}: '{entry}'\n", 1)}
