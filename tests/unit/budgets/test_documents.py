"""Secrets, catalogs and the policy that says where keys are."""

import base64
import json
import traceback
from pathlib import Path

import pytest

from budgets.documents.catalogs import CatalogDocument
from budgets.documents.errors import PolicyError
from budgets.documents.reading import read_policy
from budgets.documents.secrets import KeySource
from budgets.documents.stamped import dimension_of, header_for, is_dimension
from tests.unit.budgets.policies import document, key_policy, secret, write

KEY = "sk-alice-abc123def456"
ENCODED = base64.b64encode(KEY.encode()).decode()


def test_a_secret_is_decoded_and_its_text_is_written_over_its_data(tmp_path: Path) -> None:
    file = write(tmp_path, secret(data={"alice": ENCODED, "bob": ENCODED}, stringData={"bob": "his own"}, type="Opaque"))
    (found,) = read_policy(file).secrets
    assert (found.file, found.namespace, found.name, found.labels) == (file, "default", "keys", {})
    assert found.entries == {"alice": KEY, "bob": "his own"}


def test_nobody_reads_a_secret_in_what_is_printed_of_it(tmp_path: Path) -> None:
    documents = read_policy(write(tmp_path, secret(data={"alice": ENCODED}, stringData={"bob": KEY})))
    assert KEY not in repr(documents)
    assert ENCODED not in repr(documents)


SPOILT = {
    "no base64": secret(data={"alice": f"{KEY}!"}),
    "no text": secret(data={"alice": base64.b64encode(b"\xff" + KEY.encode()).decode()}),
    "a number": secret(stringData={"alice": 5, "bob": KEY}),
    "a list": secret(stringData=[KEY]),
    "an unknown field": secret(stringDate={"alice": KEY}),
    "another kind": secret(stringData={"alice": KEY}).replace('"Secret"', '"Secrets"'),
    "an open quote": f"kind: Secret\nstringData:\n  alice: '{KEY}\n",
    "an alias": f"kind: Secret\nstringData:\n  alice: *{KEY}\n",
    "a tag": f"kind: Secret\nstringData:\n  alice: !{KEY} x\n",
    "a key twice": f"kind: Secret\nstringData: {{{KEY}: a, {KEY}: b}}\n",
    "a tab": f"kind: Secret\nstringData:\n\talice: {KEY}\n",
}


@pytest.mark.parametrize("text", SPOILT.values(), ids=SPOILT)
def test_a_wrong_secret_is_refused_and_nothing_of_it_quoted(tmp_path: Path, text: str) -> None:
    file = write(tmp_path, text)
    with pytest.raises(PolicyError) as refusal:
        read_policy(file)
    assert str(refusal.value).startswith(f"{file}: ")
    encoded = [base64.b64encode(b"\xff" + KEY.encode()).decode(), ENCODED, KEY]
    printed = "".join(traceback.format_exception(refusal.value))
    assert not any(each in printed for each in encoded)


def test_a_secret_that_is_not_yaml_is_refused_with_the_line(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"is not YAML at line 3, column 10 \(the file holds a Secret, so nothing of it"):
        read_policy(write(tmp_path, SPOILT["an alias"]))


@pytest.mark.parametrize(
    ("authentication", "source"),
    [
        ({"mode": "Strict", "secretRef": {"name": "llm-api-keys"}}, KeySource(name="llm-api-keys")),
        ({"secretRef": {"name": "keys", "group": "", "kind": "Secret"}}, KeySource(name="keys")),
        ({"secretSelector": {"matchLabels": {"holds": "keys"}}}, KeySource(labels={"holds": "keys"})),
    ],
)
def test_a_policy_says_which_secrets_hold_the_keys(
    tmp_path: Path, authentication: dict[str, object], source: KeySource
) -> None:
    assert read_policy(write(tmp_path, key_policy(authentication))).key_source == source


@pytest.mark.parametrize(
    ("authentication", "reason"),
    [
        ({}, "apiKeyAuthentication: the keys come from either secretRef or secretSelector"),
        (
            {"secretRef": {"name": "a"}, "secretSelector": {"matchLabels": {"a": "b"}}},
            "apiKeyAuthentication: the keys come from either secretRef or secretSelector",
        ),
        ({"mode": "Optional", "secretRef": {"name": "a"}}, "apiKeyAuthentication.mode: Input should be 'Strict'"),
        ({"configMapSelector": {"matchLabels": {"a": "b"}}}, "configMapSelector: Extra inputs are not permitted"),
        ({"secretSelector": {"matchLabels": {}}}, "matchLabels: Dictionary should have at least 1 item"),
    ],
)
def test_a_policy_that_promises_other_keys_is_refused(tmp_path: Path, authentication: dict[str, object], reason: str) -> None:
    with pytest.raises(PolicyError) as refusal:
        read_policy(write(tmp_path, key_policy(authentication)))
    assert reason in str(refusal.value)


def test_a_policy_without_keys_is_not_used_and_said_so(tmp_path: Path) -> None:
    text = document("agentgateway.dev/v1alpha1", "AgentgatewayPolicy", {"name": "jwt"}, {"traffic": {"jwtAuthentication": {}}})
    documents = read_policy(write(tmp_path, text))
    assert documents.key_source is None
    assert "the AgentgatewayPolicy 'jwt' is not used: only apiKeyAuthentication is read" in documents.ignored[0]


def test_a_config_map_holds_a_catalog(tmp_path: Path) -> None:
    text = json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "p"}, "data": {"catalog.json": "{}"}})
    file = write(tmp_path, text)
    assert read_policy(file).catalogs == (CatalogDocument(file, "data.catalog.json", "{}"),)


def test_a_config_map_without_a_catalog_is_refused(tmp_path: Path) -> None:
    text = json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "p"}, "data": {"config.yaml": "{}"}})
    with pytest.raises(PolicyError, match=r"data\.catalog\.json: Field required"):
        read_policy(write(tmp_path, text))


@pytest.mark.parametrize(
    ("dimension", "header"),
    [("team", "x-team-id"), ("user", "x-user-id"), ("virtualKey", "x-virtual-key"), ("tenant_id", "x-dimension-tenant_id")],
)
def test_each_dimension_has_one_header(dimension: str, header: str) -> None:
    assert header_for(dimension) == header
    assert dimension_of(header.upper()) == dimension
    assert is_dimension(dimension)


@pytest.mark.parametrize("header", ["x-team", "x-dimension-", "x-dimension-a b", "x-dimension-1", "authorization", ""])
def test_no_other_header_carries_a_dimension(header: str) -> None:
    assert dimension_of(header) is None
