"""What the issuer does by itself, with the Kubernetes API as its store."""

import json

import pytest

from jwt_issuer.cluster import Cluster
from jwt_issuer.keys.keychain import Keychain
from jwt_issuer.keys.ring import KeyRing, State
from jwt_issuer.keys.signing_key import SigningKey
from jwt_issuer.stores import StoreError
from jwt_issuer.tokens import Mint, Subject
from jwt_issuer.upkeep import Upkeep
from tests.integration.jwt_issuer.cluster.kubernetes_api import KubernetesApi

OWN = "agentic-budgets"
NOW = 1_800_000_000
OVERLAP, TTL = 1200, 600


class Clock:
    now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def upkeep(cluster: Cluster, clock: Clock) -> Upkeep:
    """With a key that signs and one that is to be published."""
    keys = SigningKey.generate(), SigningKey.generate()
    cluster.keys.update(lambda _: KeyRing.of(keys[0], NOW).with_next(keys[1], NOW))
    keychain = Keychain(cluster.keys, clock)
    mint = Mint(keychain, "agentic-budgets", "mock-llm", TTL, clock)
    return Upkeep(keychain, cluster.tokens, mint, (Subject("alice", "dba"),), cluster.lease, OVERLAP, clock=clock)


def states(upkeep: Upkeep) -> list[State]:
    return [place.state for place in upkeep.keychain.ring.places(upkeep.clock())]


def test_somebody_elses_config_map_keeps_the_next_key_from_signing_and_the_tokens_from_nothing(
    upkeep: Upkeep, api: KubernetesApi, clock: Clock
) -> None:
    api.put("configmaps", OWN, {"metadata": {"name": "jwt-issuer-jwks"}, "data": {"jwks.json": "{}"}})
    tokens = set()
    for _ in range(5):
        with pytest.raises(StoreError, match="configmaps/jwt-issuer-jwks in the namespace agentic-budgets is somebody else's"):
            upkeep.look()
        tokens.add(api.secret("kagent", "jwt-alice")["token"])
        assert states(upkeep) == [State.CURRENT, State.NEXT]
        clock.now += OVERLAP
    assert len(tokens) == 5
    assert api.objects["configmaps", OWN, "jwt-issuer-jwks"]["data"] == {"jwks.json": "{}"}


def test_a_next_key_is_in_the_config_map_before_its_time_runs(upkeep: Upkeep, api: KubernetesApi, clock: Clock) -> None:
    clock.now += 10 * OVERLAP
    upkeep.look()
    published = json.loads(api.objects["configmaps", OWN, "jwt-issuer-jwks"]["data"]["jwks.json"])["keys"]
    assert [key["kid"] for key in published] == [key.kid for key in upkeep.keychain.ring.keys]
    assert upkeep.keychain.ring.keys[1].signs_from == clock.now + OVERLAP
    written = [(each.verb, each.resource) for each in api.writes()]
    assert written.index(("create", "configmaps")) < max(
        index for index, write in enumerate(written) if write == ("update", "secrets")
    )


def test_a_secret_with_garbage_in_it_has_a_token_after_the_next_look(upkeep: Upkeep, api: KubernetesApi, clock: Clock) -> None:
    upkeep.look()
    secret = api.objects["secrets", "kagent", "jwt-alice"]
    api.put("secrets", "kagent", secret | {"data": {"token": "/w=="}})
    clock.now += TTL
    upkeep.look()
    assert upkeep.mint.is_fresh(api.secret("kagent", "jwt-alice")["token"], upkeep.subjects[0])
