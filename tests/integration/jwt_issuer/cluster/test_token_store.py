"""Tokens as Secrets, and the key set as a ConfigMap."""

import logging
from pathlib import Path

import pytest

from jwt_issuer.cluster import Cluster, open_cluster
from jwt_issuer.stores import StoreError
from tests.integration.jwt_issuer.cluster.conftest import OpenCluster
from tests.integration.jwt_issuer.cluster.kubernetes_api import KubernetesApi
from tests.integration.jwt_issuer.cluster.kubernetes_rbac import Permission

KEY_SET = b'{"keys": []}'


def test_a_token_is_a_secret_that_an_agent_can_mount(cluster: Cluster, api: KubernetesApi) -> None:
    cluster.tokens.put("alice", "dba", "a.b.c")

    secret = api.objects["secrets", "kagent", "jwt-alice"]
    assert api.secret("kagent", "jwt-alice") == {"token": "a.b.c", "sub": "alice", "team": "dba"}
    assert secret["type"] == "Opaque"
    assert secret["metadata"]["labels"] == {
        "app.kubernetes.io/managed-by": "jwt-issuer",
        "app.kubernetes.io/component": "token",
        "app.kubernetes.io/part-of": "agentic-budgets",
    }


def test_a_token_is_read_back(opened: OpenCluster) -> None:
    opened().tokens.put("alice", "dba", "a.b.c")

    assert opened().tokens.token("alice") == "a.b.c"
    assert opened().tokens.token("bob") is None


def test_a_second_run_writes_nothing(opened: OpenCluster, api: KubernetesApi) -> None:
    for _ in range(2):
        cluster = opened()
        cluster.tokens.put("alice", "dba", "a.b.c")
        cluster.tokens.publish(KEY_SET)

    assert [(each.verb, each.name) for each in api.writes()] == [("create", None), ("create", None)]


def test_a_new_token_takes_the_place_of_the_old(cluster: Cluster, api: KubernetesApi) -> None:
    cluster.tokens.put("alice", "dba", "a.b.c")
    cluster.tokens.put("alice", "support", "d.e.f")

    assert api.secret("kagent", "jwt-alice") == {"token": "d.e.f", "sub": "alice", "team": "support"}


def test_the_key_set_is_a_config_map(cluster: Cluster, api: KubernetesApi) -> None:
    cluster.tokens.publish(b"{}")
    cluster.tokens.publish(KEY_SET)

    assert api.objects["configmaps", "agentic-budgets", "jwt-issuer-jwks"]["data"] == {"jwks.json": '{"keys": []}'}


def test_what_others_have_noted_on_a_secret_stays(cluster: Cluster, api: KubernetesApi) -> None:
    cluster.tokens.put("alice", "dba", "a.b.c")
    secret = api.objects["secrets", "kagent", "jwt-alice"]
    api.put("secrets", "kagent", secret | {"metadata": secret["metadata"] | {"annotations": {"seen-by": "a person"}}})

    cluster.tokens.put("alice", "dba", "d.e.f")

    assert api.objects["secrets", "kagent", "jwt-alice"]["metadata"]["annotations"] == {"seen-by": "a person"}


@pytest.mark.parametrize("labels", [None, {"app.kubernetes.io/managed-by": "Helm", "app.kubernetes.io/component": "token"}])
def test_somebody_elses_secret_stays_as_it_is(cluster: Cluster, api: KubernetesApi, labels: dict[str, str] | None) -> None:
    document = {"metadata": {"name": "jwt-alice", "labels": labels}, "type": "Opaque", "data": {"token": "cHJpdmF0ZQ=="}}
    api.put("secrets", "kagent", document)

    with pytest.raises(StoreError, match=r"secrets/jwt-alice in the namespace kagent is somebody else's.*Delete it") as caught:
        cluster.tokens.put("alice", "dba", "a.b.c")
    with pytest.raises(StoreError, match="somebody else's"):
        cluster.tokens.token("alice")
    assert "private" not in str(caught.value)
    assert api.writes() == []


def test_somebody_elses_config_map_stays_as_it_is(cluster: Cluster, api: KubernetesApi) -> None:
    api.put("configmaps", "agentic-budgets", {"metadata": {"name": "jwt-issuer-jwks"}, "data": {"jwks.json": "{}"}})

    with pytest.raises(StoreError, match="configmaps/jwt-issuer-jwks in the namespace agentic-budgets is somebody else's"):
        cluster.tokens.publish(KEY_SET)
    assert api.writes() == []


def test_a_user_of_an_unlucky_name_does_not_overwrite_the_keys(api: KubernetesApi, kubeconfig: Path) -> None:
    """In one namespace the Secret of a user `issuer-keys` would be the one of the keys, which the issuer has made itself."""
    api.granted |= {Permission("agentic-budgets", "", "secrets", verb, None) for verb in ("get", "create", "update")}
    labels = {"app.kubernetes.io/managed-by": "jwt-issuer", "app.kubernetes.io/component": "keys"}
    api.put("secrets", "agentic-budgets", {"metadata": {"name": "jwt-issuer-keys", "labels": labels}, "data": {}})

    with pytest.raises(StoreError, match="jwt-issuer-keys in the namespace agentic-budgets is somebody else's"):
        open_cluster("agentic-budgets", "agentic-budgets", "a-pod").tokens.put("issuer-keys", "dba", "a.b.c")
    assert api.writes() == []


@pytest.mark.parametrize("held", ["!", "/w==", "YS5iLmM", ""])
def test_a_secret_of_ours_that_holds_no_text_holds_no_token_and_is_written_anew(
    cluster: Cluster, api: KubernetesApi, held: str
) -> None:
    cluster.tokens.put("alice", "dba", "a.b.c")
    api.put("secrets", "kagent", api.objects["secrets", "kagent", "jwt-alice"] | {"data": {"token": held}})

    assert cluster.tokens.token("alice") is None
    cluster.tokens.put("alice", "dba", "a.b.c")
    assert api.secret("kagent", "jwt-alice") == {"token": "a.b.c", "sub": "alice", "team": "dba"}


def test_an_emptied_secret_is_filled_again(cluster: Cluster, api: KubernetesApi) -> None:
    cluster.tokens.put("alice", "dba", "a.b.c")
    secret = dict(api.objects["secrets", "kagent", "jwt-alice"])
    del secret["data"]
    api.put("secrets", "kagent", secret)

    assert cluster.tokens.token("alice") is None
    cluster.tokens.put("alice", "dba", "a.b.c")
    assert cluster.tokens.token("alice") == "a.b.c"


def test_whoever_is_no_longer_listed_keeps_a_token_that_expires(
    cluster: Cluster, api: KubernetesApi, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    cluster.tokens.put("alice", "dba", "a.b.c")
    cluster.tokens.put("bob", "dba", "d.e.f")
    asked = len(api.asked)

    for _ in range(2):
        cluster.tokens.keep_only(frozenset({"bob", "carol"}))

    assert len(api.asked) == asked
    assert [message for message in caplog.messages if "no longer renewed" in message] == [
        "secrets/jwt-alice in the namespace kagent is no longer renewed and expires by itself; delete it when you like."
    ]
