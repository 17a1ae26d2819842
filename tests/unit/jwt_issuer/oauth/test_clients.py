from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from jwt_issuer.oauth.client_secrets import Cost, SecretHash, hash_secret
from jwt_issuer.oauth.clients import Client, Clients, ClientsError, read_clients
from jwt_issuer.tokens import Subject, subjects_of
from service.teams import read_teams

from .token_clients import BARE, CI, SECRET, TERMS

HASH = hash_secret(SECRET)
ENTRY: dict[str, Any] = {
    "client_id": "ci",
    "secret_hash": HASH,
    "sub": "alice",
    "scopes": ["llm"],
    "audiences": ["mock-llm", "https://other.example/api"],
    "ttl": 600,
    "claims": {"tier": "gold", "level": 3, "share": 0.5, "trial": False, "groups": ["data"]},
}
LEAST: dict[str, Any] = {"client_id": "ci", "secret_hash": HASH, "sub": "alice"}
ITSELF: dict[str, Any] = {"client_id": "ci", "secret_hash": HASH, "claims": {"team": "dba"}}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "clients.yaml"


def read(file: Path, *entries: dict[str, Any]) -> Clients:
    file.write_text(yaml.safe_dump({"clients": list(entries)}), encoding="utf-8")
    return read_clients(file, TERMS)


def the_client(file: Path, entry: dict[str, Any]) -> Client:
    client = read(file, entry).find("ci")
    assert client is not None
    return client


def refusal(file: Path, *entries: dict[str, Any]) -> str:
    with pytest.raises(ClientsError) as error:
        read(file, *entries)
    assert str(error.value).startswith(f"{file}: ")
    return str(error.value).removeprefix(f"{file}: ")


def test_a_client_is_read_with_all_that_it_may_have(file: Path) -> None:
    client = the_client(file, ENTRY)
    assert client.subject == Subject("alice", "dba")
    assert client.scopes == ("llm",)
    assert client.audiences == ("mock-llm", "https://other.example/api")
    assert client.ttl == 600
    assert client.claims == {"tier": "gold", "level": 3, "share": 0.5, "trial": False, "groups": ["data"]}
    assert client.secret == SecretHash.parse(HASH)


def test_what_is_left_out_is_the_issuers(file: Path) -> None:
    client = the_client(file, LEAST)
    assert (client.scopes, client.audiences, client.ttl, client.claims) == ((), ("mock-llm",), 900, {})


def test_a_client_without_sub_speaks_for_itself_in_its_team(file: Path) -> None:
    assert the_client(file, ITSELF).subject == Subject("ci", "dba")


def test_a_team_may_be_the_sub(file: Path) -> None:
    assert the_client(file, LEAST | {"sub": "support"}).subject == Subject("support", "support")


def test_the_longest_ttl_is_allowed_and_one_more_second_is_not(file: Path) -> None:
    assert the_client(file, LEAST | {"ttl": 3600}).ttl == 3600
    assert refusal(file, LEAST | {"ttl": 3601}) == (
        "clients[0].ttl: it is above 3600: write less, or raise JWT_ISSUER_LONGEST_TTL."
    )


@pytest.mark.parametrize("name", ["iss", "sub", "aud", "exp", "iat", "nbf", "jti", "scope", "client_id"])
def test_a_claim_that_the_issuer_sets_is_refused(file: Path, name: str) -> None:
    assert (
        refusal(file, LEAST | {"claims": {name: "x"}}) == f"clients[0].claims: the issuer sets {name!r} itself: leave it out."
    )


def test_team_is_refused_where_the_sub_gives_it(file: Path) -> None:
    assert refusal(file, LEAST | {"claims": {"team": "support"}}) == (
        "clients[0].claims: 'team' is that of 'alice' in the team list: leave it out."
    )


@pytest.mark.parametrize("claims", [{}, {"team": "nobody"}, {"team": "alice"}, {"team": ["dba"]}, {"team": 3}])
def test_a_client_without_sub_needs_a_listed_team(file: Path, claims: dict[str, Any]) -> None:
    assert refusal(file, ITSELF | {"claims": claims}) == (
        "clients[0].claims: without sub, 'team' must be a team of the team list: write one that it has."
    )


def test_a_sub_that_nobody_knows_is_refused(file: Path) -> None:
    assert refusal(file, LEAST | {"sub": "mallory"}) == (
        "clients[0].sub: the team list has no team and no user of this name: write one that it has."
    )


@pytest.mark.parametrize("name", ["alice", "support"])
def test_a_client_does_not_pass_for_someone_who_is_listed(file: Path, name: str) -> None:
    assert refusal(file, ITSELF | {"client_id": name}) == (
        f"clients[0].client_id: {name!r} is a name in the team list: write sub: {name} too, or name the client otherwise."
    )
    assert read(file, LEAST | {"client_id": name, "sub": name}).find(name)


def test_one_id_is_one_client(file: Path) -> None:
    assert refusal(file, LEAST, ENTRY | {"client_id": "cd"}, ENTRY) == (
        "clients[2].client_id: 'ci' is taken by clients[0]: name this one otherwise."
    )


@pytest.mark.parametrize(
    "value", [None, {}, {"a": "b"}, [1], [["a"]], [None], float("inf"), float("nan"), 2**53, -(2**53)], ids=repr
)
def test_a_claim_that_no_reader_is_ready_for_is_refused(file: Path, value: object) -> None:
    assert refusal(file, LEAST | {"claims": {"tier": value}}) == (
        "clients[0].claims: 'tier' must be text, a number, true, false or a list of texts: write one of these."
    )


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"client_id": 7}, "clients[0].client_id: text is expected: put it into quotes."),
        ({"client_id": ""}, "clients[0].client_id: write up to 128 letters, digits, '.', '_', '~' and '-'"),
        ({"client_id": "a:b"}, "clients[0].client_id: write up to 128 letters"),
        ({"client_id": "a" * 129}, "clients[0].client_id: write up to 128 letters"),
        ({"client_id": "ci\n"}, "clients[0].client_id: write up to 128 letters"),
        ({"secret_hash": None}, "clients[0].secret_hash: text is expected: write the hash that `jwt-issuer secret` prints."),
        ({"secret_hash": "hunter2"}, "clients[0].secret_hash: it is not a hash that `jwt-issuer secret` prints: make one"),
        ({"secret": "hunter2"}, "clients[0].secret: this field is unknown: take it out."),
        ({"scopes": "llm"}, "clients[0].scopes: a list is expected: put it into [ ]."),
        ({"scopes": [1]}, "clients[0].scopes[0]: text is expected: put it into quotes."),
        ({"scopes": ["llm", "a b"]}, "clients[0].scopes[1]: write up to 256 visible ASCII characters"),
        ({"scopes": [""]}, "clients[0].scopes[0]: write up to 256 visible ASCII characters"),
        ({"audiences": ['"']}, "clients[0].audiences[0]: write up to 256 visible ASCII characters"),
        ({"ttl": 0}, "clients[0].ttl: it is below 1: write more."),
        ({"ttl": True}, "clients[0].ttl: a whole number is expected: write seconds, without quotes."),
        ({"ttl": "600"}, "clients[0].ttl: a whole number is expected: write seconds, without quotes."),
        ({"claims": ["tier"]}, "clients[0].claims: a mapping is expected: write {name: value}."),
        ({"claims": {1: "x"}}, "clients[0].claims: a claim has a name that is not text: put it into quotes."),
        ({"claims": {"": "x"}}, "clients[0].claims: a claim has a name that is not text: put it into quotes."),
    ],
)
def test_a_field_that_is_wrong_is_named(file: Path, change: dict[str, Any], sentence: str) -> None:
    said = refusal(file, ENTRY | change)
    assert said.startswith(sentence)
    assert said.endswith(".")
    assert "hunter2" not in said


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "the document: a mapping is expected: write field: value."),
        ("[]", "the document: a mapping is expected: write field: value."),
        ("{}", "clients: this field is missing: add it."),
        ("clients: null", "clients: a list is expected: put it into [ ]."),
        ("clients: [7]", "clients[0]: a mapping is expected: write field: value."),
        ("clients: [{client_id: ci}]", "clients[0].secret_hash: this field is missing: add it."),
        ("clients: []\n---\nclients: []", "the list of clients is 2 documents: put all clients into one."),
    ],
)
def test_a_file_that_is_no_list_of_clients_is_refused(file: Path, text: str, sentence: str) -> None:
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ClientsError) as error:
        read_clients(file, TERMS)
    assert str(error.value) == f"{file}: {sentence}"


@pytest.mark.parametrize("content", [b"clients: [", b"\xff", b"clients: 1\nclients: 2"])
def test_a_file_that_is_no_yaml_is_refused_in_one_sentence(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(ClientsError, match=r"the list of clients is not YAML: .*: put it right\.$"):
        read_clients(file, TERMS)


def test_a_file_that_is_not_there_is_said(file: Path) -> None:
    with pytest.raises(ClientsError, match=r"clients.yaml: the list of clients cannot be read: No such file or directory"):
        read_clients(file, TERMS)


def test_an_empty_list_lets_nobody_in(file: Path) -> None:
    assert len(read(file)) == 0


def test_the_example_suits_the_team_list_that_stands_beside_it() -> None:
    policy = Path(__file__).parents[4] / "policy"
    subjects = subjects_of(read_teams(policy / "teams.yaml"))
    terms = type(TERMS)(subjects, audience="mock-llm", ttl=900, longest_ttl=86_400)
    assert len(read_clients(policy / "clients.example.yaml", terms)) == 2


def test_a_client_is_authenticated_by_its_secret_alone() -> None:
    clients = Clients([CI, BARE])
    assert clients.authenticated("ci", SECRET) is CI
    assert clients.authenticated("ci", SECRET.upper()) is None


def test_an_id_that_nobody_has_is_refused_also_with_somebodys_secret() -> None:
    assert Clients([CI]).authenticated("cd", SECRET) is None
    assert Clients([]).authenticated("ci", SECRET) is None


@dataclass(frozen=True)
class Noting(Cost):
    """Notes the secrets that it has digested."""

    digested: list[str] = field(default_factory=list)

    def digest(self, secret: str, salt: bytes, length: int) -> bytes:
        self.digested.append(secret)
        return super().digest(secret, salt, length)


def test_an_id_that_nobody_has_costs_what_one_of_the_clients_does() -> None:
    cost = Noting(log2_n=1, r=1, p=1)
    clients = Clients([replace(CI, secret=SecretHash.of(SECRET, cost))])
    cost.digested.clear()
    assert clients.authenticated("ci", "first") is None
    assert clients.authenticated("nobody", "second") is None
    assert clients.authenticated("somebody", "third") is None
    assert cost.digested == ["first", "second", "third"]


def test_an_id_that_nobody_has_is_always_as_one_and_the_same_client() -> None:
    costs = [Noting(log2_n=1, r=1, p=1) for _ in range(20)]
    hashes = [SecretHash.of(SECRET, cost) for cost in costs]
    clients = Clients(replace(CI, client_id=f"c{index}", secret=each) for index, each in enumerate(hashes))
    for _ in range(10):
        clients.authenticated("nobody", "guess")
    assert sorted(cost.digested.count("guess") for cost in costs) == [*[0] * 19, 10]


def test_the_scopes_are_those_of_all_clients() -> None:
    assert Clients([CI, BARE]).scopes == {"llm", "tools"}


def test_no_repr_shows_a_hash() -> None:
    assert "secret" not in repr(CI).lower()
