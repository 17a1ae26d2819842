import pytest

from jwt_issuer.keys.keychain import Keychain
from jwt_issuer.metrics import Metrics
from jwt_issuer.tokens import Mint, Subject
from jwt_issuer.upkeep import Upkeep

from .rings import START, Clock, a_key
from .stores import Lead, Tokens

OVERLAP = 1200


@pytest.fixture
def upkeep(keychain: Keychain, mint: Mint, lead: Lead, clock: Clock) -> Upkeep:
    return Upkeep(keychain, Tokens(), mint, (Subject("dba", "dba"), Subject("alice", "dba")), lead, OVERLAP, clock=clock)


@pytest.fixture
def metrics(upkeep: Upkeep) -> Metrics:
    return Metrics(upkeep)


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"jwt_issuer_{name}", labels)


def states(metrics: Metrics) -> dict[str, float | None]:
    return {state: value(metrics, "keys", state=state) for state in ("next", "current", "retiring")}


def test_the_keys_are_counted_by_their_state(metrics: Metrics, upkeep: Upkeep, clock: Clock) -> None:
    upkeep.keychain.sign({}, 10_000)
    upkeep.keychain.change(lambda ring: ring.with_next(a_key(1), START).announced(START, OVERLAP))
    assert states(metrics) == {"next": 1, "current": 1, "retiring": 0}
    clock.now = START + OVERLAP
    assert states(metrics) == {"next": 0, "current": 1, "retiring": 1}


def test_a_key_that_waits_to_be_published_is_a_next_one(metrics: Metrics, upkeep: Upkeep) -> None:
    upkeep.keychain.change(lambda ring: ring.with_next(a_key(1), START))
    assert states(metrics) == {"next": 1, "current": 1, "retiring": 0}
    assert value(metrics, "key_age_seconds") == 0


def test_the_age_is_that_of_the_key_that_signs_since_it_does(metrics: Metrics, upkeep: Upkeep, clock: Clock) -> None:
    upkeep.keychain.change(lambda ring: ring.with_next(a_key(1), START).announced(START, OVERLAP))
    clock.now = START + 50
    assert value(metrics, "key_age_seconds") == 50
    clock.now = START + OVERLAP + 7
    assert value(metrics, "key_age_seconds") == 7


def test_the_tokens_are_counted_by_whoever_leads(metrics: Metrics, upkeep: Upkeep, lead: Lead) -> None:
    lead.leading = False
    upkeep.look()
    assert (value(metrics, "leads"), value(metrics, "tokens")) == (0, 0)
    assert value(metrics, "earliest_expiry_timestamp_seconds") is None
    lead.leading = True
    upkeep.look()
    assert (value(metrics, "leads"), value(metrics, "tokens")) == (1, 2)
    upkeep.expiries["alice"] = START + 5
    assert value(metrics, "earliest_expiry_timestamp_seconds") == START + 5


def test_failures_are_counted(metrics: Metrics, upkeep: Upkeep) -> None:
    upkeep.failures = 3
    assert value(metrics, "upkeep_failures_total") == 3


def test_answers_are_counted_by_their_outcome(metrics: Metrics) -> None:
    metrics.token_requests.labels("issued").inc()
    assert value(metrics, "token_requests_total", outcome="issued") == 1


def test_two_issuers_in_one_process_count_for_themselves(upkeep: Upkeep) -> None:
    first, second = Metrics(upkeep), Metrics(upkeep)
    first.token_requests.labels("issued").inc()
    assert value(second, "token_requests_total", outcome="issued") is None
