"""How the issuer finds the API: as a pod's ServiceAccount, or by KUBECONFIG."""

import datetime as real_datetime
import logging
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from kubernetes.config import incluster_config

from jwt_issuer.cluster import open_cluster
from jwt_issuer.cluster.connection import connect
from jwt_issuer.keys.ring import KeyRing
from jwt_issuer.keys.signing_key import SigningKey
from jwt_issuer.stores import StoreAwayError, StoreError
from tests.integration.jwt_issuer.cluster.certificates import authority
from tests.integration.jwt_issuer.cluster.kubernetes_api import KubernetesApi
from tests.integration.jwt_issuer.cluster.kubernetes_rbac import permissions_of


@pytest.fixture
def pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that kubelet mounts into a pod; the API behind it is the `secured` one."""
    folder = tmp_path / "serviceaccount"
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(folder / "token"))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(folder / "ca.crt"))
    return folder


@pytest.fixture
def secured(pod: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KubernetesApi]:
    api = KubernetesApi(permissions_of("jwt-issuer", "agentic-budgets"), tls=authority(pod))
    api.start()
    (pod / "token").write_text(api.token)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(api.port))
    yield api
    api.stop()


def test_a_pod_needs_no_configuration(secured: KubernetesApi) -> None:
    open_cluster("agentic-budgets", "kagent", "a-pod").tokens.put("alice", "dba", "a.b.c")

    assert secured.secret("kagent", "jwt-alice")["token"] == "a.b.c"


def test_a_token_that_kubelet_renews_is_read_again(secured: KubernetesApi, pod: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    passed = real_datetime.timedelta()

    class Clock(real_datetime.datetime):
        @classmethod
        def now(cls, tz: real_datetime.tzinfo | None = None) -> "Clock":
            return super().now(tz) + passed

    monkeypatch.setattr(incluster_config, "datetime", SimpleNamespace(datetime=Clock, timedelta=real_datetime.timedelta))
    cluster = open_cluster("agentic-budgets", "kagent", "a-pod")
    assert cluster.tokens.token("alice") is None

    secured.token = "renewed"
    (pod / "token").write_text("renewed")
    with pytest.raises(StoreError, match="401"):
        cluster.tokens.token("alice")
    passed = real_datetime.timedelta(seconds=61)
    assert cluster.tokens.token("alice") is None


def test_a_token_that_is_gone_is_named(secured: KubernetesApi, pod: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    late = SimpleNamespace(
        datetime=SimpleNamespace(now=lambda: real_datetime.datetime.max - real_datetime.timedelta(hours=1)),
        timedelta=real_datetime.timedelta,
    )
    cluster = open_cluster("agentic-budgets", "kagent", "a-pod")
    (pod / "token").unlink()
    monkeypatch.setattr(incluster_config, "datetime", late)

    with pytest.raises(StoreError, match="The ServiceAccount's token cannot be read, to get secrets/jwt-alice"):
        cluster.tokens.token("alice")


def test_an_api_of_another_cluster_gets_no_token(secured: KubernetesApi, tmp_path: Path, pod: Path) -> None:
    authority(tmp_path / "another")
    (pod / "ca.crt").write_bytes((tmp_path / "another" / "ca.crt").read_bytes())

    with pytest.raises(StoreAwayError, match="No secure connection to the Kubernetes API, to get secrets/jwt-alice"):
        open_cluster("agentic-budgets", "kagent", "a-pod").tokens.token("alice")
    assert secured.asked == []


@pytest.mark.usefixtures("pod")
def test_outside_of_a_cluster_there_is_nothing_to_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)

    with pytest.raises(StoreError, match=r"There is no Kubernetes API to ask. Run in a pod .* or set KUBECONFIG."):
        connect()


def test_a_pod_without_a_token_is_told(secured: KubernetesApi, pod: Path) -> None:
    (pod / "token").unlink()

    with pytest.raises(StoreError, match="Run in a pod that has a ServiceAccount's token"):
        connect()


@pytest.mark.parametrize(
    "content",
    [
        None,
        "",
        "private: [",
        "- private",
        "private",
        "users: [private]\nclusters: {}\n",
        "current-context: private\n",
        "clusters: private\ncurrent-context: x\n",
    ],
)
def test_a_kubeconfig_that_is_none_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None) -> None:
    file = tmp_path / "kubeconfig"
    if content is not None:
        file.write_text(content)
    monkeypatch.setenv("KUBECONFIG", str(file))

    with pytest.raises(StoreError, match=r"kubeconfig names no cluster\. Name a file") as caught:
        connect()
    assert "private" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_what_the_lease_is_held_by_is_told_apart(secured: KubernetesApi) -> None:
    """Two processes of one host name are two replicas."""
    first, second = (open_cluster("agentic-budgets", "kagent", "a-pod") for _ in range(2))

    assert first.lease.leads()
    assert not second.lease.leads()
    assert secured.objects["leases", "agentic-budgets", "jwt-issuer"]["spec"]["holderIdentity"].startswith("a-pod_")


def test_what_a_secret_holds_is_not_logged(secured: KubernetesApi, caplog: pytest.LogCaptureFixture) -> None:
    """Clients before release 37 logged each answer at DEBUG."""
    caplog.set_level(logging.DEBUG)
    keys = open_cluster("agentic-budgets", "kagent", "a-pod").keys
    ring = keys.update(lambda _: KeyRing.of(SigningKey.generate(), 0))

    assert keys.read() == ring
    assert "/secrets/" in caplog.text
    assert "ring.json" not in caplog.text
