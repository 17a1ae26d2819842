"""The connection to the Kubernetes API: the pod's ServiceAccount, or KUBECONFIG."""

import os
from collections.abc import Callable
from functools import partial

import yaml
from kubernetes.client import ApiClient, Configuration
from kubernetes.config import ConfigException, load_incluster_config, load_kube_config

from jwt_issuer.stores import StoreError

UNUSABLE = (ConfigException, OSError, ValueError, yaml.YAMLError)
MISSHAPEN = (AttributeError, LookupError, TypeError)
"""What the client raises for a file of another shape, which it does not look at first."""


def connect() -> ApiClient:
    """As KUBECONFIG says, or where it is not set as the pod's ServiceAccount, whose token file is read again every minute.

    Raises StoreError where there is neither.
    """
    configuration = Configuration()
    # Whoever asks comes back in seconds; the client's own four attempts would make one time-out four.
    configuration.retries = False
    kubeconfig = os.environ.get("KUBECONFIG")
    load: Callable[..., None] = partial(load_kube_config, kubeconfig) if kubeconfig else load_incluster_config
    try:
        load(client_configuration=configuration)
    except (*UNUSABLE, *MISSHAPEN):
        # The reason is left out: it may quote the file, which holds credentials.
        raise StoreError(_no_cluster(kubeconfig)) from None
    return ApiClient(configuration)


def _no_cluster(kubeconfig: str | None) -> str:
    if kubeconfig:
        return f"KUBECONFIG={kubeconfig} names no cluster. Name a file whose current context has a cluster and a user."
    return "There is no Kubernetes API to ask. Run in a pod that has a ServiceAccount's token, or set KUBECONFIG."
