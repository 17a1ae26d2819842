"""The API as it is on a bad day. Each failure is a sentence, comes soon, and gives nothing away."""

import logging
import threading
import traceback
from collections.abc import Callable

import pytest

from jwt_issuer.cluster import Cluster, objects
from jwt_issuer.keys.ring import KeyRing
from jwt_issuer.keys.signing_key import SigningKey
from jwt_issuer.stores import StoreAwayError, StoreError
from tests.integration.jwt_issuer.cluster.kubernetes_api import KubernetesApi

TOKEN = "header.payload.signature-of-alice"

Ask = Callable[[Cluster], object]
ASKS: dict[str, Ask] = {
    "the keys": lambda cluster: cluster.keys.read(),
    "a token": lambda cluster: cluster.tokens.put("alice", "dba", TOKEN),
    "the key set": lambda cluster: cluster.tokens.publish(b"{}"),
    "the lease": lambda cluster: cluster.lease.leads(),
}
each_ask = pytest.mark.parametrize("ask", ASKS.values(), ids=ASKS)


def as_shown(error: Exception) -> str:
    return "".join(traceback.format_exception(error))


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A time-out that a test can wait for."""
    monkeypatch.setattr(objects, "TIMEOUT", 0.2)


@each_ask
@pytest.mark.parametrize("status", [408, 429, 500, 503, 504])
def test_trouble_passes(cluster: Cluster, api: KubernetesApi, ask: Ask, status: int) -> None:
    api.fault = status
    with pytest.raises(StoreAwayError, match=rf"in the namespace .* \({status}\)"):
        ask(cluster)
    assert len(api.asked) == 1

    api.fault = None
    ask(cluster)


@each_ask
@pytest.mark.parametrize("fault", ["hang", "half"])
@pytest.mark.usefixtures("soon")
def test_an_api_that_says_nothing_is_asked_once(cluster: Cluster, api: KubernetesApi, ask: Ask, fault: str) -> None:
    api.fault = fault
    connections = api.connections()
    with pytest.raises(StoreAwayError, match="did not answer in"):
        ask(cluster)
    assert api.connections() == connections + 1

    api.fault = None
    ask(cluster)


@each_ask
def test_an_api_that_is_gone_comes_back(cluster: Cluster, api: KubernetesApi, ask: Ask) -> None:
    api.stop()
    with pytest.raises(StoreAwayError, match="cannot be reached, to"):
        ask(cluster)

    api.start()
    ask(cluster)


@each_ask
def test_a_connection_that_has_ended_is_not_used_again(cluster: Cluster, api: KubernetesApi, ask: Ask) -> None:
    ask(cluster)
    api.stop()
    api.start()

    ask(cluster)


@each_ask
@pytest.mark.parametrize(
    "answer", [b"<html>a private page</html>", b"{}", b"[1]", b'{"data": {"token": ["private"]}}', b"\xff"]
)
def test_a_proxy_that_answers_instead_is_told_from_the_api(
    cluster: Cluster, api: KubernetesApi, ask: Ask, answer: bytes
) -> None:
    api.raw_answer = answer
    with pytest.raises(StoreAwayError, match=r"answered with something else, asked to get .* a proxy") as caught:
        ask(cluster)
    assert "private" not in as_shown(caught.value)


@each_ask
def test_credentials_that_are_not_good_are_named(cluster: Cluster, api: KubernetesApi, ask: Ask) -> None:
    api.token = "another-token"
    with pytest.raises(StoreError, match=r"knows nobody by the issuer's credentials.*\(401\)") as caught:
        ask(cluster)
    assert not isinstance(caught.value, StoreAwayError)


def test_a_namespace_that_is_not_there_is_named(cluster: Cluster, api: KubernetesApi) -> None:
    api.namespaces = frozenset({"agentic-budgets"})

    assert cluster.tokens.token("alice") is None
    with pytest.raises(StoreError, match=r"There is no namespace kagent to create secrets/jwt-alice in. Create it"):
        cluster.tokens.put("alice", "dba", TOKEN)


def test_a_refusal_of_another_kind_is_named(cluster: Cluster, api: KubernetesApi) -> None:
    cluster.tokens.put("alice", "dba", TOKEN)
    api.put("secrets", "kagent", api.objects["secrets", "kagent", "jwt-alice"] | {"type": "Opaque", "immutable": True})

    with pytest.raises(StoreError, match=r"refuses to update secrets/jwt-alice in the namespace kagent \(422\)") as caught:
        cluster.tokens.put("alice", "dba", "another")
    assert not isinstance(caught.value, StoreAwayError)


def test_no_log_and_no_error_shows_what_a_secret_holds(
    cluster: Cluster, api: KubernetesApi, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    key = SigningKey.generate()
    cluster.keys.update(lambda _: KeyRing.of(key, 1))
    cluster.keys.read()
    cluster.tokens.put("alice", "dba", TOKEN)
    cluster.tokens.token("alice")
    shown = []
    for fault in (500, 503, 422, 403, 409, 302):
        api.fault = fault
        for ask in ASKS.values():
            with pytest.raises(StoreError) as caught:
                ask(cluster)
            shown.append(as_shown(caught.value))

    output = capfd.readouterr()
    everything = "\n".join([caplog.text, output.out, output.err, *shown])
    encoded = [held["data"].values() for (kind, _, _), held in api.objects.items() if kind == "secrets"]
    private = [TOKEN, api.token, *key.pem().decode().splitlines()[1:-1], *(value for values in encoded for value in values)]
    assert "secrets/jwt-alice" in everything
    assert not [each for each in private if each in everything]


def test_replicas_in_threads_share_a_connection_pool(cluster: Cluster, api: KubernetesApi) -> None:
    cluster.tokens.put("alice", "dba", TOKEN)
    found: list[str | None] = []
    threads = [threading.Thread(target=lambda: found.append(cluster.tokens.token("alice"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == [TOKEN] * 8
