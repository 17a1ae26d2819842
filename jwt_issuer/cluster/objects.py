"""Objects in the Kubernetes API, read and written so that no change of another is lost."""

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Generic, TypeVar

from kubernetes.client import ApiClient, CoordinationV1Api, CoreV1Api, V1ConfigMap, V1Lease, V1Secret
from kubernetes.client.exceptions import ApiException

from jwt_issuer.cluster.failures import TIMEOUT, named
from jwt_issuer.stores import StoreAwayError, StoreError

TRIES = 10
"""Each that fails means that another has written, so that ten in a row mean somebody who does nothing else."""

ObjectT = TypeVar("ObjectT", V1ConfigMap, V1Lease, V1Secret)


class ConflictError(Exception):
    """Somebody else has created, changed or deleted the object since it was read."""


@dataclass(frozen=True)
class Objects(Generic[ObjectT]):
    """All of one kind in one namespace. `kind` is as in a Role, such as secrets. All methods raise StoreError."""

    kind: str
    namespace: str
    reading: Callable[..., ObjectT]
    creating: Callable[..., ObjectT]
    replacing: Callable[..., ObjectT]

    def place(self, name: str) -> str:
        return f"{self.kind}/{name} in the namespace {self.namespace}"

    def read(self, name: str) -> ObjectT | None:
        with named(f"get {self.place(name)}"):
            try:
                found = self.reading(name, self.namespace, _request_timeout=TIMEOUT)
            except ApiException as error:
                if error.status == HTTPStatus.NOT_FOUND:
                    return None
                raise
            if found.metadata is None or not found.metadata.resource_version:
                # To write it back would overwrite whatever is there then.
                raise ValueError("an object without a version")
            return found

    def create(self, name: str, wanted: ObjectT) -> ObjectT:
        """Raises ConflictError where there is one of that name."""
        with named(f"create {self.place(name)}"):
            try:
                return self.creating(self.namespace, wanted, _request_timeout=TIMEOUT)
            except ApiException as error:
                if error.status == HTTPStatus.CONFLICT:
                    raise ConflictError from None
                if error.status == HTTPStatus.NOT_FOUND:
                    raise StoreError(
                        f"There is no namespace {self.namespace} to create {self.kind}/{name} in. Create it, or name another."
                    ) from None
                raise

    def replace(self, name: str, wanted: ObjectT) -> ObjectT:
        """Raises ConflictError where it is no longer the one that `wanted` was made from."""
        with named(f"update {self.place(name)}"):
            try:
                return self.replacing(name, self.namespace, wanted, _request_timeout=TIMEOUT)
            except ApiException as error:
                if error.status in (HTTPStatus.CONFLICT, HTTPStatus.NOT_FOUND):
                    raise ConflictError from None
                raise

    def change(self, name: str, wanted: Callable[[ObjectT | None], ObjectT | None]) -> ObjectT:
        """The object as it is then. `wanted` makes it from what is there, or says None where that is as it should be.

        It is called again where another has written in between; what it raises is raised. It may change what it is given.
        """
        for _ in range(TRIES):
            found = self.read(name)
            body = wanted(found)
            try:
                if found is None:
                    if body is None:
                        raise ValueError(f"nothing is wanted where there is no {self.place(name)}")
                    return self.create(name, body)
                return found if body is None else self.replace(name, body)
            except ConflictError:
                continue
        raise StoreAwayError(f"Others have changed {self.place(name)} {TRIES} times in a row. See who writes it all the time.")


def secrets(client: ApiClient, namespace: str) -> Objects[V1Secret]:
    core = CoreV1Api(client)
    return Objects(
        "secrets", namespace, core.read_namespaced_secret, core.create_namespaced_secret, core.replace_namespaced_secret
    )


def config_maps(client: ApiClient, namespace: str) -> Objects[V1ConfigMap]:
    core = CoreV1Api(client)
    return Objects(
        "configmaps",
        namespace,
        core.read_namespaced_config_map,
        core.create_namespaced_config_map,
        core.replace_namespaced_config_map,
    )


def leases(client: ApiClient, namespace: str) -> Objects[V1Lease]:
    coordination = CoordinationV1Api(client)
    return Objects(
        "leases",
        namespace,
        coordination.read_namespaced_lease,
        coordination.create_namespaced_lease,
        coordination.replace_namespaced_lease,
    )
