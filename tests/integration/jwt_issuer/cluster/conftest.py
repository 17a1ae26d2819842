from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jwt_issuer.cluster import Cluster, open_cluster
from tests.integration.jwt_issuer.cluster.kubernetes_api import KubernetesApi
from tests.integration.jwt_issuer.cluster.kubernetes_rbac import permissions_of

OpenCluster = Callable[[], Cluster]


@pytest.fixture
def api() -> Iterator[KubernetesApi]:
    api = KubernetesApi(permissions_of("jwt-issuer", "agentic-budgets"))
    api.start()
    yield api
    api.stop()


@pytest.fixture
def kubeconfig(api: KubernetesApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Also this process's KUBECONFIG."""
    file = api.kubeconfig(tmp_path / "kubeconfig")
    monkeypatch.setenv("KUBECONFIG", str(file))
    return file


@pytest.fixture
def opened(kubeconfig: Path) -> OpenCluster:
    """Each call is another replica."""
    return lambda: open_cluster("agentic-budgets", "kagent", "a-pod")


@pytest.fixture
def cluster(opened: OpenCluster) -> Cluster:
    return opened()
