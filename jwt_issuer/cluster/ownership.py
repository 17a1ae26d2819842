"""Labels that say which Secrets and ConfigMaps are the issuer's. It writes to no other."""

from kubernetes.client import V1ConfigMap, V1ObjectMeta, V1Secret

from jwt_issuer.stores import StoreError

MANAGED_BY = "app.kubernetes.io/managed-by"
COMPONENT = "app.kubernetes.io/component"


def owned(name: str, component: str) -> V1ObjectMeta:
    """The metadata of one to create. `component` tells the kinds of Secrets apart: one namespace may hold them all."""
    labels = {MANAGED_BY: "jwt-issuer", COMPONENT: component, "app.kubernetes.io/part-of": "agentic-budgets"}
    return V1ObjectMeta(name=name, labels=labels)


def refuse_foreign(found: V1ConfigMap | V1Secret, component: str, place: str) -> None:
    """Raises StoreError for one that the issuer has not made as this component."""
    labels = (found.metadata and found.metadata.labels) or {}
    if labels.get(MANAGED_BY) != "jwt-issuer" or labels.get(COMPONENT) != component:
        raise StoreError(
            f"{place} is somebody else's, and stays as it is: it has no labels {MANAGED_BY}=jwt-issuer and "
            f"{COMPONENT}={component}. Delete it or rename it, or label it so where the issuer may overwrite it."
        )
