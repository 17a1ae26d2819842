"""Clients: programs that may ask for a token, and as whom (RFC 6749, 4.4)."""

import hashlib
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from jwt_issuer.oauth.client_document import Claim, ClientDocument, ClientEntry, place_and_reason
from jwt_issuer.oauth.client_secrets import SecretHash
from jwt_issuer.tokens import Subject
from service.yaml_files import UnreadableError, read_yaml


class ClientsError(ValueError):
    """The list cannot be used; the text is one sentence: the file, the place in it, the reason and the remedy."""


@dataclass(frozen=True)
class Terms:
    """What holds for all clients: who there is, and what they get that ask for no more. `ttl`s are in seconds."""

    subjects: tuple[Subject, ...]
    audience: str
    ttl: int
    longest_ttl: int


@dataclass(frozen=True)
class Client:
    """`audiences` has at least one, the first for whoever names none. `ttl` is in seconds."""

    client_id: str
    secret: SecretHash = field(repr=False)
    subject: Subject
    scopes: tuple[str, ...]
    audiences: tuple[str, ...]
    ttl: int
    claims: Mapping[str, Claim]


class Clients:
    def __init__(self, clients: Iterable[Client]) -> None:
        self._by_id = {client.client_id: client for client in clients}
        self._nothing = SecretHash.of_nothing()
        self._pepper = secrets.token_bytes(32)

    def __len__(self) -> int:
        return len(self._by_id)

    @property
    def scopes(self) -> frozenset[str]:
        """All that some client may have."""
        return frozenset(scope for client in self._by_id.values() for scope in client.scopes)

    def find(self, client_id: str) -> Client | None:
        return self._by_id.get(client_id)

    def authenticated(self, client_id: str, secret: str) -> Client | None:
        """The client, if that is its secret. Takes as long for an id that nobody has; call it in a thread."""
        client = self.find(client_id)
        right = (client.secret if client else self._stand_in(client_id)).matches(secret)
        return client if right else None

    def _stand_in(self, client_id: str) -> SecretHash:
        """For an id that nobody has: at the cost of some client's hash, and always the same one's, as if it were that."""
        known = tuple(self._by_id.values())
        if not known:
            return self._nothing
        digest = hashlib.blake2b(client_id.encode(), key=self._pepper).digest()
        return known[int.from_bytes(digest, "big") % len(known)].secret


def read_clients(path: Path, terms: Terms) -> Clients:
    """Raises ClientsError where the file cannot be read, or says anything but a list of clients under these terms."""
    try:
        documents = read_yaml(path)
    except UnreadableError as error:
        raise ClientsError(f"{path}: the list of clients {error}: put it right.") from None
    if len(documents) > 1:
        raise ClientsError(f"{path}: the list of clients is {len(documents)} documents: put all clients into one.")
    try:
        entries = ClientDocument.model_validate(documents[0] if documents else None).clients
    except ValidationError as error:
        raise ClientsError(f"{path}: {place_and_reason(error)}.") from None
    return Clients(_listed(path, entries, terms))


def _listed(path: Path, entries: Iterable[ClientEntry], terms: Terms) -> Iterator[Client]:
    taken: dict[str, str] = {}
    for index, entry in enumerate(entries):
        place = f"clients[{index}]"
        if entry.client_id in taken:
            first = taken[entry.client_id]
            raise ClientsError(f"{path}: {place}.client_id: {entry.client_id!r} is taken by {first}: name this one otherwise.")
        taken[entry.client_id] = place
        yield _client(f"{path}: {place}", entry, terms)


def _client(place: str, entry: ClientEntry, terms: Terms) -> Client:
    if entry.ttl is not None and entry.ttl > terms.longest_ttl:
        raise ClientsError(f"{place}.ttl: it is above {terms.longest_ttl}: write less, or raise JWT_ISSUER_LONGEST_TTL.")
    return Client(
        client_id=entry.client_id,
        secret=entry.secret_hash,
        subject=_listed_subject(place, entry, terms) if entry.sub is not None else _client_itself(place, entry, terms),
        scopes=entry.scopes,
        audiences=entry.audiences or (terms.audience,),
        ttl=terms.ttl if entry.ttl is None else entry.ttl,
        claims=entry.claims,
    )


def _listed_subject(place: str, entry: ClientEntry, terms: Terms) -> Subject:
    subject = next((each for each in terms.subjects if each.name == entry.sub), None)
    if subject is None:
        raise ClientsError(f"{place}.sub: the team list has no team and no user of this name: write one that it has.")
    if "team" in entry.claims:
        raise ClientsError(f"{place}.claims: 'team' is that of {subject.name!r} in the team list: leave it out.")
    return subject


def _client_itself(place: str, entry: ClientEntry, terms: Terms) -> Subject:
    """A client that speaks for nobody else belongs to a team all the same, and must not pass for someone who is listed."""
    if any(each.name == entry.client_id for each in terms.subjects):
        raise ClientsError(
            f"{place}.client_id: {entry.client_id!r} is a name in the team list: write sub: {entry.client_id} too, "
            "or name the client otherwise."
        )
    team = entry.claims.get("team")
    if not isinstance(team, str) or team not in {each.team for each in terms.subjects}:
        raise ClientsError(f"{place}.claims: without sub, 'team' must be a team of the team list: write one that it has.")
    return Subject(entry.client_id, team)
