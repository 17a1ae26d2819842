import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from budgets.documents.errors import PolicyError
from budgets.documents.secrets import KeySource, SecretDocument
from budgets.virtual_keys.key_entries import EntryError, read_entry
from budgets.virtual_keys.keys import KeyRing

FILE = Path("budgets/keys.yaml")
ALICE = "sk-alice-abc123def456"
BOB = "sk-bob-xyz789uvw012"
ALL = KeySource(labels={})


def secret(entries: dict[str, Any], name: str = "llm-api-keys", labels: dict[str, str] | None = None) -> SecretDocument:
    texts = {entry: text if isinstance(text, str) else json.dumps(text) for entry, text in entries.items()}
    return SecretDocument(FILE, "agentgateway-system", name, labels or {}, texts)


def ring(entries: dict[str, Any]) -> KeyRing:
    return KeyRing.from_documents([secret(entries)], ALL)


def hashed(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def test_the_keys_of_the_guide_are_known_and_no_others() -> None:
    keys = ring(
        {"alice": {"key": ALICE, "metadata": {"user_id": "alice"}}, "bob": {"key": BOB, "metadata": {"user_id": "bob"}}}
    )
    alice = keys.find(ALICE)
    assert alice
    assert (alice.name, alice.dimensions) == ("alice", {"user": "alice", "virtualKey": "alice"})
    assert not any(
        keys.find(other) for other in ("", "sk-alice", ALICE + "x", ALICE.upper(), hashed(ALICE), "sha256:" + hashed(ALICE))
    )


@pytest.mark.parametrize(
    "entry",
    [
        ALICE,
        f"  {ALICE}\n",
        {"key": ALICE},
        {"keyHash": f"sha256:{hashed(ALICE)}"},
        {"keyHash": hashed(ALICE).upper()},
        {"key": ALICE, "metadata": {}},
    ],
)
def test_a_key_may_be_stated_as_it_is_or_in_json_or_by_its_hash(entry: Any) -> None:
    alice = ring({"alice": entry}).find(ALICE)
    assert alice and alice.dimensions == {"user": "alice", "virtualKey": "alice"}


@pytest.mark.parametrize(
    ("metadata", "dimensions"),
    [
        ({"user_id": "a"}, {"user": "a"}),
        ({"user": "a"}, {"user": "a"}),
        ({"user": "a", "user_id": "a"}, {"user": "a"}),
        ({"team": "dba"}, {"user": "k", "team": "dba"}),
        ({"user_id": "a", "tier": "free", "tenant_id": "t"}, {"user": "a", "tier": "free", "tenant_id": "t"}),
        (
            {"cost-centre": 4711, "beta": True, "share": 0.5},
            {"user": "k", "cost-centre": "4711", "beta": "true", "share": "0.5"},
        ),
    ],
)
def test_metadata_become_dimensions(metadata: dict[str, Any], dimensions: dict[str, str]) -> None:
    key = ring({"k": {"key": ALICE, "metadata": metadata}}).find(ALICE)
    assert key and key.dimensions == {"virtualKey": "k"} | dimensions


def test_who_a_key_stands_for_cannot_be_changed() -> None:
    alice = ring({"alice": ALICE}).find(ALICE)
    assert alice
    with pytest.raises(TypeError):
        alice.dimensions["team"] = "dba"  # type: ignore[index]


ONE = secret({"alice": ALICE}, "one", {"keys": "llm", "team": "a"})
TWO = secret({"bob": BOB}, "two", {"keys": "llm", "team": "b"})


@pytest.mark.parametrize(
    ("source", "known"),
    [
        (KeySource(name="two"), [False, True]),
        (KeySource(labels={"keys": "llm"}), [True, True]),
        (KeySource(labels={"keys": "llm", "team": "a"}), [True, False]),
    ],
)
def test_keys_come_from_one_secret_or_from_all_that_carry_the_labels(source: KeySource, known: list[bool]) -> None:
    keys = KeyRing.from_documents([ONE, TWO], source)
    assert [keys.find(key) is not None for key in (ALICE, BOB)] == known
    assert not keys.warnings


@pytest.mark.parametrize(
    ("source", "named"), [(KeySource(name="three"), "'three'"), (KeySource(labels={"keys": "x"}), "with the labels keys=x")]
)
def test_a_source_that_leads_to_no_secret_is_warned_of(source: KeySource, named: str) -> None:
    keys = KeyRing.from_documents([ONE, TWO], source)
    assert len(keys) == 0
    assert keys.warnings == (f"No Secret {named} is among the policy documents, so no virtual key is known.",)


def test_without_a_source_no_secret_holds_keys_and_each_is_warned_of() -> None:
    keys = KeyRing.from_documents([ONE, secret({"openai": "not a key\n"}, "provider")], None)
    assert len(keys) == 0 and keys.find(ALICE) is None
    assert keys.warnings == (
        f"{FILE}: no AgentgatewayPolicy names a source of virtual keys, so Secret one is not used.",
        f"{FILE}: no AgentgatewayPolicy names a source of virtual keys, so Secret provider is not used.",
    )


def test_without_a_source_and_without_a_secret_there_is_nothing_to_warn_of() -> None:
    assert KeyRing.from_documents([]).warnings == ()


def test_a_short_key_is_warned_of_and_let_in() -> None:
    keys = ring({"short": "x" * 15, "long": "y" * 16})
    assert keys.find("x" * 15)
    assert keys.warnings == (
        f"{FILE}: Secret llm-api-keys, entry short: the key is shorter than 16 characters and can be guessed.",
    )


def test_two_keys_of_one_name_share_their_budgets_and_are_warned_of() -> None:
    keys = KeyRing.from_documents([secret({"alice": ALICE}, "old"), secret({"alice": BOB}, "new")], ALL)
    assert keys.find(ALICE) == keys.find(BOB)
    (warning,) = keys.warnings
    assert warning.startswith("Secret old, entry alice, and Secret new, entry alice: two keys of one name")


def test_the_same_key_twice_is_refused_naming_both_entries() -> None:
    with pytest.raises(PolicyError) as refusal:
        KeyRing.from_documents([secret({"alice": ALICE}, "one"), secret({"bob": {"keyHash": hashed(ALICE)}}, "two")], ALL)
    assert str(refusal.value).startswith(f"{FILE}: Secret two, entry bob: is the same key as Secret one, entry alice")


HIDDEN = "hidden-hidden-hidden"
METADATA = "field 1 of metadata"

WRONG: dict[str, tuple[Any, str]] = {
    "empty": ("", "the key must be text of visible ASCII"),
    "empty in JSON": ({"key": ""}, "the key must be text of visible ASCII"),
    "a space in it": (f"{HIDDEN} x", "the key must be text of visible ASCII"),
    "not ASCII": (f"{HIDDEN}ä", "the key must be text of visible ASCII"),
    "a number": ({"key": 123456}, "the key must be text"),
    "null": ({"key": None}, "the key must be text"),
    "no hash": ({"keyHash": None}, "keyHash must be sha256: and 64 hexadecimal digits"),
    "a short hash": ({"keyHash": f"sha256:{'a' * 63}"}, "keyHash must be"),
    "another hash": ({"keyHash": f"md5:{'a' * 64}"}, "keyHash must be"),
    "both": ({"key": HIDDEN, "keyHash": "a" * 64}, "needs either key or keyHash"),
    "neither": ({"metadata": {"user_id": HIDDEN}}, "needs either key or keyHash"),
    "an unknown field": ({"key": "k" * 20, HIDDEN: 1}, "has a field besides key, keyHash and metadata"),
    "a field twice": (f'{{"key": "{HIDDEN}", "key": "b"}}', "has a field twice"),
    "broken JSON": (f'{{"key": "{HIDDEN}"', "starts like a JSON object and is not one"),
    "nested without end": ('{"key":' * 100_000, "starts like a JSON object and is not one"),
    "shaped like a JWT": (f"{HIDDEN}.b_-.c", "the key has the shape of a JWT"),
    "metadata that are a list": ({"key": HIDDEN, "metadata": [HIDDEN]}, "metadata must be an object"),
    "metadata null": ({"key": HIDDEN, "metadata": {"a": None}}, f"{METADATA} must be a text, a number or a truth value"),
    "metadata nested": ({"key": HIDDEN, "metadata": {"a": {}}}, f"{METADATA} must be a text, a number or a truth value"),
    "metadata empty": ({"key": HIDDEN, "metadata": {"a": ""}}, f"{METADATA}, which travels in a header, must be 1 to 256"),
    "a line end": ({"key": HIDDEN, "metadata": {"a": f"{HIDDEN}\r\nx-team-id: dba"}}, f"{METADATA}, which travels in a header"),
    "half a character": ({"key": HIDDEN, "metadata": {"a": "\ud800"}}, f"{METADATA}, which travels in a header"),
    "a space at the end": ({"key": HIDDEN, "metadata": {"a": "b "}}, f"{METADATA}, which travels in a header"),
    "metadata too long": ({"key": HIDDEN, "metadata": {"a": "b" * 257}}, f"{METADATA}, which travels in a header"),
    "a name that is no header's": (
        {"key": HIDDEN, "metadata": {"a": "b", f"{HIDDEN}:": "b"}},
        "field 2 of metadata has a name that",
    ),
    "upper case": ({"key": HIDDEN, "metadata": {"costCentre": "b"}}, f"{METADATA} has a name that cannot be a header's"),
    "a reserved name": ({"key": HIDDEN, "metadata": {"request_id": "b"}}, f"{METADATA} has a name that is reserved"),
    "the key's name": ({"key": HIDDEN, "metadata": {"virtualKey": "bob"}}, f"{METADATA} has a name that is reserved"),
    "the request's model": ({"key": HIDDEN, "metadata": {"model": "m"}}, f"{METADATA} has a name that is reserved"),
    "two users": ({"key": HIDDEN, "metadata": {"user": "a", "user_id": "b"}}, "metadata.user and metadata.user_id"),
}


@pytest.mark.parametrize(("entry", "reason"), WRONG.values(), ids=WRONG)
def test_a_wrong_entry_is_refused_by_file_secret_and_name_and_never_quoted(entry: Any, reason: str) -> None:
    with pytest.raises(PolicyError) as refusal:
        ring({"alice": entry})
    text = str(refusal.value)
    assert text.startswith(f"{FILE}: Secret llm-api-keys, entry alice: {reason}")
    assert HIDDEN not in text
    assert refusal.value.__cause__ is None


def test_an_entry_whose_name_cannot_travel_is_refused() -> None:
    with pytest.raises(EntryError, match="its name, which travels in a header"):
        read_entry("a\nb", ALICE)


def test_nothing_that_can_be_printed_shows_a_key_or_its_hash() -> None:
    keys = ring({"alice": ALICE})
    kept = list(keys._by_digest.values())
    printed = f"{keys!r} {keys.find(ALICE)!r} {kept!r} {read_entry('alice', ALICE)!r} {ONE!r}"
    assert not any(secret in printed for secret in (ALICE, hashed(ALICE), repr(bytes.fromhex(hashed(ALICE)))))
    assert repr(keys) == "KeyRing(1 keys)"


@example("\ud800")
@given(st.text())
def test_no_text_is_a_key_by_accident_and_none_breaks_the_search(text: str) -> None:
    assert ring({"alice": ALICE}).find(text) is None


@given(
    st.text()
    | st.recursive(st.none() | st.booleans() | st.text(), lambda inner: st.dictionaries(st.text(), inner)).map(json.dumps)
)
def test_an_entry_is_read_or_refused_and_breaks_nothing(text: str) -> None:
    try:
        entry = read_entry("alice", text)
    except EntryError:
        return
    assert entry.dimensions["virtualKey"] == "alice"
