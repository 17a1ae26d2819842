"""The issuer in a Kubernetes cluster. Only here is the client of Kubernetes imported, for it is an optional extra."""

from jwt_issuer.cluster.cluster import Cluster, open_cluster

__all__ = ["Cluster", "open_cluster"]
