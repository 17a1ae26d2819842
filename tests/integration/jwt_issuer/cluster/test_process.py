"""Issuers as processes in a cluster, with the official client and the Roles that are shipped."""

import json
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from subprocess import Popen
from typing import Any

import httpx
import jwt
import pytest

from tests.integration.jwt_issuer.cluster.kubernetes_api import KubernetesApi
from tests.integration.mock_llm.serving import PATIENCE, a_process, free_port, serving, wait_until_healthy
from tests.waiting import until

pytestmark = pytest.mark.anyio

TEAMS = Path(__file__).parents[4] / "policy" / "teams.yaml"
SUBJECTS = {"dba": "dba", "alice": "dba", "bob": "dba", "support": "support", "carol": "support"}
OWN = "agentic-budgets"
TAKE_OVER = 40
"""Seconds; a lease alone takes 15 to run out."""


@pytest.fixture
def environment(kubeconfig: Path) -> dict[str, str]:
    return {
        "KUBECONFIG": str(kubeconfig),
        "JWT_ISSUER_NAMESPACE": OWN,
        "JWT_ISSUER_AGENTS_NAMESPACE": "kagent",
        "JWT_ISSUER_TEAMS": str(TEAMS),
    }


@pytest.fixture
def replicas(environment: dict[str, str]) -> Iterator[dict[str, tuple[Popen[str], str]]]:
    """Two, each with its URL."""
    with ExitStack() as stack:
        started = {}
        for name in ("pod-a", "pod-b"):
            own = {"JWT_ISSUER_IDENTITY": name, "JWT_ISSUER_PORT": str(free_port())}
            process = stack.enter_context(a_process("jwt_issuer", **environment | own))
            started[name] = process, f"http://127.0.0.1:{own['JWT_ISSUER_PORT']}"
        for process, url in started.values():
            wait_until_healthy(process, url)
        yield started


def holder(api: KubernetesApi) -> str | None:
    lease = api.objects.get(("leases", OWN, "jwt-issuer"), {"spec": {}})
    identity: str | None = lease["spec"].get("holderIdentity")
    return identity.partition("_")[0] if identity else None


def tokens(api: KubernetesApi) -> dict[str, str]:
    names = [name for kind, namespace, name in api.objects if (kind, namespace) == ("secrets", "kagent")]
    return {name.removeprefix("jwt-"): api.secret("kagent", name)["token"] for name in names}


def published(api: KubernetesApi) -> list[str]:
    """The ids of the keys in the ConfigMap."""
    config_map = api.objects.get(("configmaps", OWN, "jwt-issuer-jwks"))
    return [key["kid"] for key in json.loads(config_map["data"]["jwks.json"])["keys"]] if config_map else []


def served(url: str) -> list[str]:
    answer = httpx.get(f"{url}/.well-known/jwks.json", trust_env=False).json()
    return [key["kid"] for key in answer["keys"]]


def verified(token: str, url: str) -> dict[str, Any]:
    key = jwt.PyJWKClient(f"{url}/.well-known/jwks.json").get_signing_key_from_jwt(token)
    claims: dict[str, Any] = jwt.decode(token, key, algorithms=["RS256"], audience="mock-llm", issuer="agentic-budgets")
    return claims


def renewals(api: KubernetesApi) -> int:
    return sum(each.resource == "leases" and each.verb == "update" for each in api.asked)


async def another_look(api: KubernetesApi) -> None:
    """A whole one: it begins with a renewal of the lease, and so does the one after it."""
    now = renewals(api)
    await until(lambda: renewals(api) >= now + 2, "another look")


async def test_of_two_replicas_one_writes_and_both_serve_its_keys(
    api: KubernetesApi, replicas: dict[str, tuple[Popen[str], str]]
) -> None:
    await until(lambda: tokens(api).keys() == SUBJECTS.keys(), "a token for everyone")
    await until(lambda: published(api) != [], "the key set")

    for _, url in replicas.values():
        assert {sub: verified(token, url)["team"] for sub, token in tokens(api).items()} == SUBJECTS
        assert served(url) == published(api)
    assert all(api.secret("kagent", f"jwt-{sub}")["team"] == team for sub, team in SUBJECTS.items())

    def written() -> list[tuple[str, str]]:
        return [(each.verb, each.resource) for each in api.writes() if each.resource != "leases" and each.status < 300]

    assert written().count(("create", "secrets")) == 1 + len(SUBJECTS)
    before = written()
    await another_look(api)
    assert written() == before
    assert {each.status for each in api.asked} <= {200, 201, 404, 409}


async def test_another_replica_takes_over_from_one_that_is_killed(
    api: KubernetesApi, replicas: dict[str, tuple[Popen[str], str]]
) -> None:
    await until(lambda: tokens(api).keys() == SUBJECTS.keys(), "a token for everyone")
    first = holder(api)
    assert first is not None
    before = tokens(api)

    replicas[first][0].kill()
    await until(lambda: holder(api) not in (None, first), "the other to lead", TAKE_OVER)

    _, url = next(each for name, each in replicas.items() if name != first)
    assert tokens(api) == before
    assert {sub: verified(token, url)["team"] for sub, token in tokens(api).items()} == SUBJECTS


async def test_another_replica_takes_over_at_once_from_one_that_stops(
    api: KubernetesApi, replicas: dict[str, tuple[Popen[str], str]]
) -> None:
    await until(lambda: tokens(api).keys() == SUBJECTS.keys(), "a token for everyone")
    first = holder(api)
    assert first is not None

    replicas[first][0].send_signal(signal.SIGTERM)
    assert replicas[first][0].wait(PATIENCE) == 0
    asked = len(api.asked)
    await until(lambda: holder(api) not in (None, first), "the other to lead")

    looks = [each for each in api.asked[asked:] if (each.resource, each.verb) == ("leases", "get")]
    assert len(looks) <= 2


async def test_a_rotation_by_hand_reaches_every_replica(
    api: KubernetesApi, environment: dict[str, str], replicas: dict[str, tuple[Popen[str], str]]
) -> None:
    await until(lambda: len(published(api)) == 1, "the key set")
    (first,) = published(api)

    with a_process("jwt_issuer", "rotate", **environment) as rotation:
        assert rotation.wait(PATIENCE) == 0
    await until(lambda: len(published(api)) == 2, "the next key in the ConfigMap")
    for _, url in replicas.values():

        def has_both(url: str = url) -> bool:
            return served(url) == published(api)

        await until(has_both, "the next key at each replica")
    assert published(api)[0] == first


async def test_tokens_are_renewed_before_they_expire(api: KubernetesApi, environment: dict[str, str]) -> None:
    with serving("jwt_issuer", **environment | {"JWT_ISSUER_TTL": "6"}) as (_, url):
        await until(lambda: tokens(api).keys() == SUBJECTS.keys(), "a token for everyone")
        first = tokens(api)
        await until(lambda: all(token != first[sub] for sub, token in tokens(api).items()), "another for everyone")
        assert {sub: verified(token, url)["team"] for sub, token in tokens(api).items()} == SUBJECTS


async def test_a_restart_writes_no_token_and_no_key(api: KubernetesApi, environment: dict[str, str]) -> None:
    for _ in range(2):
        with serving("jwt_issuer", **environment) as (process, _):
            await until(lambda: holder(api) is not None, "it to lead")
            await until(lambda: tokens(api).keys() == SUBJECTS.keys(), "a token for everyone")
            await another_look(api)
            process.terminate()
            assert process.wait(PATIENCE) == 0
        assert holder(api) is None

    written = [each for each in api.writes() if each.resource != "leases"]
    assert [(each.verb, each.resource) for each in written].count(("create", "secrets")) == 1 + len(SUBJECTS)
    assert not [each for each in written if each.verb == "update" and each.namespace == "kagent"]


async def test_it_serves_on_without_the_api_and_goes_on_with_it(api: KubernetesApi, environment: dict[str, str]) -> None:
    with serving("jwt_issuer", **environment) as (_, url):
        await until(lambda: tokens(api).keys() == SUBJECTS.keys(), "a token for everyone")
        keys = served(url)
        api.stop()
        assert served(url) == keys

        api.objects.pop(("configmaps", OWN, "jwt-issuer-jwks"))
        api.start()
        await until(lambda: published(api) == keys, "the key set again")


async def test_without_the_api_it_does_not_start(api: KubernetesApi, environment: dict[str, str]) -> None:
    api.stop()

    with a_process("jwt_issuer", **environment | {"JWT_ISSUER_PORT": str(free_port())}) as process:
        assert process.wait(PATIENCE) == 1
        assert process.stderr is not None
        assert "The Kubernetes API cannot be reached, to get secrets/jwt-issuer-keys" in process.stderr.read()


async def test_one_secret_of_somebody_else_is_named_and_keeps_the_others_from_nothing(
    api: KubernetesApi, environment: dict[str, str]
) -> None:
    api.put("secrets", "kagent", {"metadata": {"name": "jwt-alice"}, "type": "Opaque", "data": {"token": "bWluZQ=="}})

    with serving("jwt_issuer", **environment) as (process, _):
        await until(lambda: tokens(api).keys() == SUBJECTS.keys(), "a token for everyone else")
        process.terminate()
        log = process.communicate(timeout=PATIENCE)[1]

    assert "secrets/jwt-alice in the namespace kagent is somebody else's" in log
    assert api.secret("kagent", "jwt-alice") == {"token": "mine"}
    (key,) = json.loads(api.secret(OWN, "jwt-issuer-keys")["ring.json"])["keys"]
    private = [token for sub, token in tokens(api).items() if sub != "alice"] + key["pem"].splitlines()
    assert not [line for line in private if line in log]
