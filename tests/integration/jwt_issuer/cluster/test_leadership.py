"""The Lease over HTTP."""

import pytest

from jwt_issuer.cluster.connection import connect
from jwt_issuer.cluster.leadership import DURATION, LeaseLeadership
from jwt_issuer.cluster.objects import leases
from tests.integration.jwt_issuer.cluster.conftest import OpenCluster
from tests.integration.jwt_issuer.cluster.kubernetes_api import KubernetesApi


def test_of_two_that_begin_at_once_one_leads(opened: OpenCluster, api: KubernetesApi) -> None:
    slower, faster = opened(), opened()
    answers = []
    api.before_write = lambda: answers.append(faster.lease.leads())

    answers.append(slower.lease.leads())

    assert answers == [True, False]
    assert [each.status for each in api.writes()] == [201, 409]


def test_of_two_that_find_it_free_at_once_one_leads(opened: OpenCluster, api: KubernetesApi) -> None:
    leaver, slower, faster = opened(), opened(), opened()
    leaver.lease.leads()
    leaver.lease.release()
    answers = []
    api.before_write = lambda: answers.append(faster.lease.leads())

    answers.append(slower.lease.leads())

    assert answers == [True, False]
    assert [each.status for each in api.writes()][-2:] == [200, 409]


def test_a_holder_that_is_gone_is_replaced(opened: OpenCluster, api: KubernetesApi) -> None:
    now = 0.0
    first = opened().lease
    second = LeaseLeadership(leases(connect(), "agentic-budgets"), "second", clock=lambda: now)
    assert first.leads()
    assert not second.leads()

    now += DURATION
    assert second.leads()
    assert api.objects["leases", "agentic-budgets", "jwt-issuer"]["spec"]["holderIdentity"] == "second"


@pytest.mark.usefixtures("kubeconfig")
def test_the_api_takes_every_time_that_is_written(api: KubernetesApi) -> None:
    """It reads none that has no microseconds, which Python leaves out where they are zero."""
    spec = {"holderIdentity": "me", "acquireTime": "2026-01-01T00:00:00.000000Z", "renewTime": "2026-01-01T00:00:00.000000Z"}
    api.put("leases", "agentic-budgets", {"metadata": {"name": "jwt-issuer"}, "spec": spec})

    assert LeaseLeadership(leases(connect(), "agentic-budgets"), "me").leads()
