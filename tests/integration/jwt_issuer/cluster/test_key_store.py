"""The key ring in a Secret."""

import base64
import threading

import pytest

from jwt_issuer.cluster import Cluster
from jwt_issuer.keys.document import write_ring
from jwt_issuer.keys.ring import KeyRing, RotationError
from jwt_issuer.keys.signing_key import SigningKey
from jwt_issuer.stores import StoreAwayError, StoreError
from tests.integration.jwt_issuer.cluster.conftest import OpenCluster
from tests.integration.jwt_issuer.cluster.kubernetes_api import Document, KubernetesApi

OWN = "agentic-budgets"
KEYS = ("secrets", OWN, "jwt-issuer-keys")
NOW = 1_800_000_000


@pytest.fixture(scope="module")
def keys() -> list[SigningKey]:
    return [SigningKey.generate() for _ in range(3)]


def kids(ring: KeyRing | None) -> list[str]:
    return [key.kid for key in ring.keys] if ring else []


def of(key: SigningKey) -> KeyRing:
    return KeyRing.of(key, NOW)


def test_there_is_no_ring_at_first(cluster: Cluster) -> None:
    assert cluster.keys.read() is None


def test_a_ring_outlives_the_process(opened: OpenCluster, keys: list[SigningKey]) -> None:
    made = opened().keys.update(lambda ring: ring or of(keys[0]))

    assert kids(made) == kids(opened().keys.read()) == [keys[0].kid]


def test_another_reader_finds_the_document_of_a_folder(cluster: Cluster, api: KubernetesApi, keys: list[SigningKey]) -> None:
    cluster.keys.update(lambda _: of(keys[0]))

    assert api.secret(OWN, "jwt-issuer-keys") == {"ring.json": write_ring(of(keys[0])).decode()}
    assert api.objects[KEYS]["type"] == "Opaque"
    assert api.objects[KEYS]["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "jwt-issuer"


def test_what_is_there_already_is_not_written_again(cluster: Cluster, api: KubernetesApi, keys: list[SigningKey]) -> None:
    cluster.keys.update(lambda _: of(keys[0]))
    written = len(api.writes())

    assert kids(cluster.keys.update(lambda ring: ring or of(keys[1]))) == [keys[0].kid]
    assert len(api.writes()) == written == 1


def test_two_that_create_it_at_once_have_the_same_ring(opened: OpenCluster, api: KubernetesApi, keys: list[SigningKey]) -> None:
    slower, faster = opened(), opened()

    def interruption() -> None:
        faster.keys.update(lambda ring: ring or of(keys[1]))

    api.before_write = interruption
    assert kids(slower.keys.update(lambda ring: ring or of(keys[0]))) == [keys[1].kid]
    assert [each.status for each in api.writes()] == [201, 409]


def test_of_two_updates_at_once_none_is_lost(opened: OpenCluster, api: KubernetesApi, keys: list[SigningKey]) -> None:
    slower, faster = opened(), opened()
    slower.keys.update(lambda _: of(keys[0]))

    def interruption() -> None:
        faster.keys.update(lambda ring: (ring or of(keys[0])).with_next(keys[1], NOW).announced(NOW, 60))

    api.before_write = interruption
    made = slower.keys.update(lambda ring: (ring or of(keys[0])).with_next(keys[2], NOW + 100).announced(NOW + 100, 60))

    assert kids(made) == kids(slower.keys.read()) == [key.kid for key in keys]
    assert [each.status for each in api.writes()] == [201, 200, 409, 200]


def test_a_secret_that_is_deleted_meanwhile_is_made_anew(cluster: Cluster, api: KubernetesApi, keys: list[SigningKey]) -> None:
    cluster.keys.update(lambda _: of(keys[0]))
    api.before_write = api.objects.clear

    assert kids(cluster.keys.update(lambda ring: of(keys[1] if ring else keys[2]))) == [keys[2].kid]


def test_many_updates_by_threads_are_all_there(opened: OpenCluster) -> None:
    replicas = [opened(), opened()]
    first = SigningKey.generate()
    replicas[0].keys.update(lambda _: of(first))

    def count(replica: Cluster) -> None:
        for _ in range(5):
            replica.keys.update(lambda ring: (ring or of(first)).signing_for((ring or of(first)).keys[0].longest_ttl + 1, NOW))

    threads = [threading.Thread(target=count, args=(replica,)) for replica in replicas]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    ring = replicas[0].keys.read()
    assert ring is not None
    assert ring.keys[0].longest_ttl == 10


def test_a_change_that_is_refused_changes_nothing(cluster: Cluster, api: KubernetesApi, keys: list[SigningKey]) -> None:
    cluster.keys.update(lambda _: of(keys[0]))
    before = api.objects[KEYS]

    with pytest.raises(RotationError):
        cluster.keys.update(lambda ring: (ring or of(keys[0])).with_next(keys[0], NOW).announced(NOW, 60))
    assert api.objects[KEYS] is before


def test_whoever_never_gets_a_turn_is_told(cluster: Cluster, api: KubernetesApi, keys: list[SigningKey]) -> None:
    cluster.keys.update(lambda _: of(keys[0]))

    def touch() -> None:
        api.put("secrets", OWN, api.objects[KEYS])
        api.before_write = touch

    api.before_write = touch
    with pytest.raises(StoreAwayError, match=r"secrets/jwt-issuer-keys in the namespace agentic-budgets 10 times in a row"):
        cluster.keys.update(lambda _: of(keys[1]))
    assert len(api.writes()) == 1 + 10


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({}, "has no entry ring.json"),
        ({"ring.json": base64.b64encode(b"a private thing").decode()}, "is not a key ring"),
        ({"ring.json": "private thing!!"}, "is not in base64"),
        ({"tls.key": base64.b64encode(b"imported").decode()}, "has no entry ring.json"),
    ],
)
def test_a_secret_without_a_ring_stays_as_it_is(
    cluster: Cluster, api: KubernetesApi, keys: list[SigningKey], data: Document, reason: str
) -> None:
    api.put("secrets", OWN, {"metadata": {"name": "jwt-issuer-keys"}, "type": "Opaque", "data": data})

    with pytest.raises(StoreError, match=f"jwt-issuer-keys in the namespace agentic-budgets {reason}. Restore it") as caught:
        cluster.keys.read()
    with pytest.raises(StoreError, match=reason):
        cluster.keys.update(lambda _: of(keys[0]))
    assert "private" not in str(caught.value)
    assert api.writes() == []


def test_what_others_have_put_beside_the_ring_stays(cluster: Cluster, api: KubernetesApi, keys: list[SigningKey]) -> None:
    ring = base64.b64encode(write_ring(of(keys[0]))).decode()
    metadata = {"name": "jwt-issuer-keys", "annotations": {"backup": "daily"}}
    api.put("secrets", OWN, {"metadata": metadata, "type": "Opaque", "data": {"ring.json": ring, "note": "bm90ZQ=="}})

    cluster.keys.update(lambda stored: (stored or of(keys[1])).with_next(keys[1], NOW).announced(NOW, 60))

    assert api.secret(OWN, "jwt-issuer-keys")["note"] == "note"
    assert api.objects[KEYS]["metadata"]["annotations"] == {"backup": "daily"}
    assert kids(cluster.keys.read()) == [keys[0].kid, keys[1].kid]
