"""What the issuer keeps in a cluster, all of it over one connection."""

import uuid
from dataclasses import dataclass

from jwt_issuer.cluster.connection import connect
from jwt_issuer.cluster.key_store import SecretKeyStore
from jwt_issuer.cluster.leadership import LeaseLeadership
from jwt_issuer.cluster.objects import config_maps, leases, secrets
from jwt_issuer.cluster.token_store import ClusterTokenStore


@dataclass(frozen=True)
class Cluster:
    keys: SecretKeyStore
    tokens: ClusterTokenStore
    lease: LeaseLeadership


def open_cluster(namespace: str, agents_namespace: str, identity: str) -> Cluster:
    """The keys, the key set and the lease are in `namespace`, the tokens in the agents'. `identity` is the replica's name.

    Asks the API for nothing yet. Raises StoreError where this process is told of no cluster.
    """
    client = connect()
    # Two processes of one name must not both believe that the lease is theirs.
    holder = f"{identity}_{uuid.uuid4()}"
    return Cluster(
        SecretKeyStore(secrets(client, namespace)),
        ClusterTokenStore(secrets(client, agents_namespace), config_maps(client, namespace)),
        LeaseLeadership(leases(client, namespace), holder),
    )
