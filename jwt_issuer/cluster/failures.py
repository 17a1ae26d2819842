"""What can go wrong with a request to the Kubernetes API, as the sentences that the issuer logs.

None quotes an answer: the API's may hold what a Secret does, and so may the client's own reasons for not reading it.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from kubernetes.client.exceptions import ApiException
from kubernetes.config import ConfigException
from urllib3.exceptions import HTTPError, NewConnectionError
from urllib3.exceptions import TimeoutError as NoAnswerError

from jwt_issuer.stores import StoreAwayError, StoreError

TIMEOUT = 5.0
"""Seconds that a request may take."""

NOT_THIS_TIME = frozenset({408, 429})


@contextmanager
def named(asked: str) -> Iterator[None]:
    """Raises StoreError for each failure of the client within. `asked` is such as "get secrets/jwt-dba in the namespace x"."""
    try:
        yield
    except ApiException as error:
        raise _refusal(asked, error.status or 0) from None
    except HTTPError as error:
        # A refused connection counts as a time-out of connecting, which it is not.
        silent = isinstance(error, NoAnswerError) and not isinstance(error, NewConnectionError)
        what = f"did not answer in {TIMEOUT:g} s, asked to" if silent else "cannot be reached, to"
        raise StoreAwayError(f"The Kubernetes API {what} {asked}. See whether it is up.") from None
    except (ConfigException, OSError):
        raise StoreError(f"The ServiceAccount's token cannot be read, to {asked}. Mount it into the pod.") from None
    except ValueError:
        raise StoreAwayError(
            f"The Kubernetes API answered with something else, asked to {asked}. See whether a proxy stands before it."
        ) from None


def _refusal(asked: str, status: int) -> StoreError:
    match status:
        case 0:
            return StoreAwayError(
                f"No secure connection to the Kubernetes API, to {asked}. See whether its certificate is good."
            )
        case 401:
            return StoreError(
                f"The Kubernetes API knows nobody by the issuer's credentials, asked to {asked} (401). "
                "Mount a ServiceAccount's token into the pod, or renew what KUBECONFIG names."
            )
        case 403:
            return StoreError(
                f"The issuer may not {asked} (403). Grant its ServiceAccount this verb, with a Role and a RoleBinding as in "
                "kagent/jwt-issuer-rbac.yaml; if it has it, see whether a quota is spent."
            )
        case _ if status in NOT_THIS_TIME or status >= 500:
            return StoreAwayError(f"The Kubernetes API has trouble, asked to {asked} ({status}). See whether it is healthy.")
        case _:
            return StoreError(f"The Kubernetes API refuses to {asked} ({status}). See what an admission policy says of it.")
