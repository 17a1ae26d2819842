"""A stand-in for the Kubernetes API: Secrets, ConfigMaps and Leases over real HTTP, with versions, access control and faults.

Strict where the real one is: who asks, what they may, what they change has not changed, and what a Lease's times look like.
"""

import base64
import binascii
import json
import re
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import SHUT_RDWR, socket
from typing import Any

import yaml

from tests.integration.jwt_issuer.cluster.kubernetes_rbac import Permission, permission_for

PATH = re.compile(
    r"/(?:api/v1|apis/(?P<group>[^/]+)/v1)/namespaces/(?P<namespace>[^/]+)/(?P<resource>[^/?]+)(?:/(?P<name>[^/?]+))?"
)
KINDS = {("", "secrets"): "Secret", ("", "configmaps"): "ConfigMap", ("coordination.k8s.io", "leases"): "Lease"}
VERBS = {"POST": "create", "PUT": "update"}
MICRO_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z|[+-]\d\d:\d\d)")

Document = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    verb: str
    namespace: str
    resource: str
    name: str | None
    status: int


class RefusedError(Exception):
    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


@dataclass
class KubernetesApi:
    """`granted` is what the bearer of `token` may.

    `fault` is a status for every answer, "hang" for none at all, or "half" for one that stops in the middle.
    """

    granted: frozenset[Permission]
    token: str = "the-service-account's-token"
    namespaces: frozenset[str] = frozenset({"agentic-budgets", "kagent"})
    tls: ssl.SSLContext | None = None
    fault: int | str | None = None
    raw_answer: bytes | None = None
    """What somebody between answers instead."""
    before_write: Callable[[], None] | None = None
    """Called once, before the next write is looked at: whatever it does comes between its caller's read and write."""
    asked: list[Asked] = field(default_factory=list)
    used: set[Permission] = field(default_factory=set)
    objects: dict[tuple[str, str, str], Document] = field(default_factory=dict)
    port: int = 0
    _version: int = 0
    _server: "_Server | None" = None
    _changing: threading.Lock = field(default_factory=threading.Lock)

    def start(self) -> None:
        """On a free port, and on that same one again after a stop."""
        self._server = _Server(self)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        """From now on a connection is refused, and those there are end."""
        if self._server is not None:
            self._server.stop()
            self._server = None

    def kubeconfig(self, file: Path) -> Path:
        cluster = {"name": "stand-in", "cluster": {"server": f"http://127.0.0.1:{self.port}"}}
        user = {"name": "jwt-issuer", "user": {"token": self.token}}
        context = {"name": "test", "context": {"cluster": "stand-in", "user": "jwt-issuer"}}
        file.write_text(
            yaml.safe_dump(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "clusters": [cluster],
                    "users": [user],
                    "contexts": [context],
                    "current-context": "test",
                }
            )
        )
        return file

    def connections(self) -> int:
        """How many there have been since the start."""
        return self._server.accepted if self._server else 0

    def writes(self) -> list[Asked]:
        return [each for each in self.asked if each.verb != "get"]

    def secret(self, namespace: str, name: str) -> dict[str, str]:
        """What it holds, decoded."""
        data: dict[str, str] = self.objects["secrets", namespace, name]["data"]
        return {entry: base64.b64decode(value).decode() for entry, value in data.items()}

    def put(self, resource: str, namespace: str, document: Document) -> None:
        """An object that somebody else has made or changed."""
        with self._changing:
            self._store(resource, namespace, document)

    def answer(self, method: str, path: str, bearer: str, body: bytes) -> tuple[int, Document]:
        place = PATH.fullmatch(path.partition("?")[0])
        if place is None:
            return 404, _status(RefusedError(404, "NotFound", "the server could not find the requested resource"))
        verb = VERBS.get(method, "get" if place["name"] else "list")
        wanted = Permission(place["namespace"], place["group"] or "", place["resource"], verb, place["name"])
        try:
            if isinstance(self.fault, int):
                raise RefusedError(self.fault, "ServiceUnavailable", f"the server says {self.fault}")
            self._authorize(bearer, wanted)
            status, document = self._perform(wanted, body)
        except RefusedError as refused:
            status, document = refused.status, _status(refused)
        self.asked.append(Asked(verb, wanted.namespace, wanted.resource, wanted.name, status))
        return status, document

    def _authorize(self, bearer: str, wanted: Permission) -> None:
        scheme, _, token = bearer.partition(" ")
        if token != self.token or scheme.lower() != "bearer":
            raise RefusedError(401, "Unauthorized", "Unauthorized")
        permission = permission_for(self.granted, wanted)
        if permission is None:
            raise RefusedError(403, "Forbidden", f'{wanted.resource} "{wanted.name}" is forbidden: cannot {wanted.verb}')
        self.used.add(permission)

    def _perform(self, wanted: Permission, body: bytes) -> tuple[int, Document]:
        document = {} if wanted.verb == "get" else _valid(json.loads(body), KINDS[wanted.group, wanted.resource])
        if wanted.verb != "get" and self.before_write:
            interruption, self.before_write = self.before_write, None
            interruption()
        with self._changing:
            match wanted.verb, wanted.name:
                case "create", None:
                    return 201, self._create(wanted.resource, wanted.namespace, document)
                case "get", str(name):
                    return 200, self._existing(wanted.resource, wanted.namespace, name)
                case "update", str(name):
                    return 200, self._update(wanted.resource, wanted.namespace, name, document)
        raise RefusedError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")

    def _create(self, resource: str, namespace: str, document: Document) -> Document:
        name = document["metadata"]["name"]
        if namespace not in self.namespaces:
            raise RefusedError(404, "NotFound", f'namespaces "{namespace}" not found')
        if (resource, namespace, name) in self.objects:
            raise RefusedError(409, "AlreadyExists", f'{resource} "{name}" already exists')
        return self._store(resource, namespace, document)

    def _existing(self, resource: str, namespace: str, name: str) -> Document:
        if (resource, namespace, name) not in self.objects:
            raise RefusedError(404, "NotFound", f'{resource} "{name}" not found')
        return self.objects[resource, namespace, name]

    def _update(self, resource: str, namespace: str, name: str, document: Document) -> Document:
        there = self._existing(resource, namespace, name)
        version = document["metadata"].get("resourceVersion")
        if version is None and resource == "leases":
            raise RefusedError(422, "Invalid", "metadata.resourceVersion: must be specified for an update")
        if version not in (None, there["metadata"]["resourceVersion"]):
            raise RefusedError(409, "Conflict", f'Operation cannot be fulfilled on {resource} "{name}"')
        if there.get("immutable") or document.get("type") != there.get("type"):
            raise RefusedError(422, "Invalid", f"{name}: field is immutable")
        return self._store(resource, namespace, document)

    def _store(self, resource: str, namespace: str, document: Document) -> Document:
        self._version += 1
        name = document["metadata"]["name"]
        metadata = document["metadata"] | {"namespace": namespace, "resourceVersion": str(self._version)}
        self.objects[resource, namespace, name] = document | {"metadata": metadata}
        return self.objects[resource, namespace, name]


def _valid(document: Document, kind: str) -> Document:
    spec = document.get("spec") or {}
    for moment in ("acquireTime", "renewTime"):
        if moment in spec and MICRO_TIME.fullmatch(spec[moment]) is None:
            raise RefusedError(400, "BadRequest", f"Lease in version v1 cannot be handled: parsing time {spec[moment]}")
    if kind == "Secret":
        try:
            for value in document.get("data", {}).values():
                base64.b64decode(value, validate=True)
        except binascii.Error:
            raise RefusedError(400, "BadRequest", "illegal base64 data") from None
    return document | {"kind": kind}


def _status(refused: RefusedError) -> Document:
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": str(refused),
        "reason": refused.reason,
        "code": refused.status,
    }


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, api: KubernetesApi) -> None:
        self.api = api
        self.stopping = threading.Event()
        self.connections: set[socket] = set()
        self.accepted = 0
        super().__init__(("127.0.0.1", api.port), _Handler)
        if api.tls is not None:
            self.socket = api.tls.wrap_socket(self.socket, server_side=True)

    def stop(self) -> None:
        self.stopping.set()
        self.shutdown()
        for connection in list(self.connections):
            with suppress_closed():
                connection.shutdown(SHUT_RDWR)
        self.server_close()


@contextmanager
def suppress_closed() -> Iterator[None]:
    try:
        yield
    except OSError:
        # The client was first.
        return


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.connections.add(self.connection)
        self.server.accepted += 1

    def finish(self) -> None:
        self.server.connections.discard(self.connection)
        with suppress_closed():
            super().finish()

    def handle(self) -> None:
        with suppress_closed():
            super().handle()

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.server.api.fault == "hang":
            self.server.stopping.wait()
            return
        api = self.server.api
        status, document = api.answer(self.command, self.path, self.headers.get("Authorization") or "", body)
        answer = api.raw_answer or json.dumps(document).encode()
        self.send_response(200 if api.raw_answer else status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        if api.fault == "half":
            self.wfile.write(answer[: len(answer) // 2])
            self.server.stopping.wait()
            return
        self.wfile.write(answer)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Not on standard error, where it would mix with what is tested."""
