"""Which documents of a folder count."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from budgets.documents.errors import PolicyError
from budgets.documents.reading import Documents, read_policy
from tests.unit.budgets.policies import (
    ONE_TEAM,
    budget_document,
    document,
    enforcement,
    entry,
    key_policy,
    lay_out,
    limit,
    ratelimit_file,
    secret,
)

OURS = budget_document(entry(), name="ours")
THEIRS = budget_document(entry(), name="theirs")
CATALOG = '{"providers": {}}'
CONFIG_MAP = document("v1", "ConfigMap", {"name": "prices"}, {}).replace('"spec": {}', '"data": {"catalog.json": "{}"}')


def namespace(name: str, **labels: str) -> str:
    return document("v1", "Namespace", {"name": name, "labels": labels}, {})


def names(documents: Documents) -> list[tuple[str, str]]:
    return [(each.namespace, each.content.metadata.name) for each in documents.budgets]


def test_a_folder_is_read_whole_in_the_order_of_its_names(tmp_path: Path) -> None:
    folder = lay_out(
        tmp_path / "platform",
        {
            "b.yml": OURS,
            "a.yaml": f"{THEIRS}\n---\n{ONE_TEAM}",
            "limits.yaml": ratelimit_file({"key": "team", "rate_limit": limit(1)}),
            "README.md": "not for us",
            "catalog.json": CATALOG,
        },
    )
    documents = read_policy(folder)
    assert names(documents) == [("default", "theirs"), ("default", "ours")]
    assert [each.name for each in documents.trees] == ["team-token-budget", "limits"]
    assert [(each.file.name, each.place, each.text) for each in documents.catalogs] == [("catalog.json", "", CATALOG)]
    assert documents.ignored == ()


def test_a_mounted_config_map_is_read_once(tmp_path: Path) -> None:
    real = lay_out(tmp_path / "..2026_11_21", {"a.yaml": OURS})
    (tmp_path / "..data").symlink_to(real)
    (tmp_path / "a.yaml").symlink_to(Path("..data") / "a.yaml")
    (tmp_path / ".a.yaml.swp.yaml").write_text("an editor's own")
    documents = read_policy(tmp_path)
    assert (len(documents.budgets), documents.ignored) == (1, ())


def test_the_enforcing_namespace_is_the_one_that_a_document_says(tmp_path: Path) -> None:
    folder = lay_out(tmp_path / "budgets", {"a.yaml": OURS, "b.yaml": budget_document(entry(), name="b", namespace="llm")})
    documents = read_policy(folder)
    assert documents.namespace == "llm"
    assert names(documents) == [("llm", "ours"), ("llm", "b")]


@pytest.mark.parametrize("folder", ["one", "other"])
def test_without_a_name_in_its_documents_it_is_the_default_namespace_wherever_it_lies(tmp_path: Path, folder: str) -> None:
    path = lay_out(tmp_path / folder, {"a.yaml": OURS})
    assert read_policy(path).namespace == read_policy(path / "a.yaml").namespace == "default"


NAMESPACES = {
    "same.yaml": OURS,
    "dba/budget.yaml": THEIRS,
    "dba/limits.yaml": ONE_TEAM,
    "dba/keys.yaml": secret(),
    "support/budget.yaml": THEIRS,
}


@pytest.mark.parametrize(
    ("discovery", "counting"),
    [
        (None, ["default"]),
        ({"from": "Same"}, ["default"]),
        ({}, ["default"]),
        ({"from": "All"}, ["default", "dba", "support"]),
        ({"from": "Selector", "selector": {"matchLabels": {"budgets": "own"}}}, ["default", "dba"]),
        ({"from": "Selector", "selector": {"matchLabels": {"budgets": "own", "x": "y"}}}, ["default"]),
    ],
)
def test_discovery_says_of_which_namespaces_the_documents_count(
    tmp_path: Path, discovery: dict[str, object] | None, counting: list[str]
) -> None:
    files = NAMESPACES | {"labels.yaml": f"{namespace('dba', budgets='own')}\n---\n{namespace('support', budgets='none')}"}
    if discovery is not None:
        files["enforcement.yaml"] = enforcement(discovery)
    documents = read_policy(lay_out(tmp_path / "platform", files))
    assert [each.namespace for each in documents.budgets] == counting
    dba_counts = ["dba"] if "dba" in counting else []
    assert [each.namespace for each in documents.trees] == dba_counts
    assert [each.namespace for each in documents.secrets] == dba_counts
    assert len(documents.ignored) == (0 if "dba" in counting else 3) + (0 if "support" in counting else 1)


def test_what_does_not_count_is_said_with_its_file_and_the_reason(tmp_path: Path) -> None:
    folder = lay_out(tmp_path / "platform", {"a.yaml": OURS, "dba/b.yaml": THEIRS, "dba/catalog.json": CATALOG})
    assert read_policy(folder).ignored == (
        f"{folder}/dba/b.yaml: the EnterpriseAgentgatewayBudget 'theirs' is not used: the namespace 'dba' is not discovered; "
        "an EnterpriseAgentgatewayPolicy says which ones are",
        f"{folder}/dba/catalog.json is not used: prices and the source of keys are read in the namespace 'default' only",
    )


def test_prices_and_the_source_of_keys_are_the_platforms_even_where_all_namespaces_are_discovered(tmp_path: Path) -> None:
    theirs = {"dba/keys.yaml": key_policy({"secretRef": {"name": "keys"}}), "dba/prices.yaml": CONFIG_MAP}
    documents = read_policy(lay_out(tmp_path, {"e.yaml": enforcement({"from": "All"}), **theirs}))
    assert (documents.key_source, documents.catalogs, len(documents.ignored)) == (None, (), 2)


def test_a_secret_that_is_named_is_the_platforms_own(tmp_path: Path) -> None:
    files = {
        "e.yaml": enforcement({"from": "All"}),
        "keys.yaml": key_policy({"secretRef": {"name": "keys"}}),
        "secret.yaml": secret(stringData={"alice": "one"}),
        "dba/secret.yaml": secret(stringData={"alice": "two"}),
    }
    documents = read_policy(lay_out(tmp_path, files))
    assert [each.entries for each in documents.secrets] == [{"alice": "one"}]
    assert "secretRef names a Secret of the namespace" in documents.ignored[0]


REFUSED: dict[str, tuple[Mapping[str, str], str, str]] = {
    "no document": ({"README.md": ""}, "", "holds no document"),
    "another namespace in a subfolder": (
        {"dba/a.yaml": budget_document(entry(), namespace="ops")},
        "dba/a.yaml: metadata.namespace",
        "is 'ops', but the documents beside it belong to 'dba'",
    ),
    "two namespaces in one folder": (
        {"a.yaml": budget_document(entry(), namespace="one"), "b.yaml": budget_document(entry(), name="b", namespace="two")},
        "b.yaml: metadata.namespace",
        "is 'two', but the documents beside it belong to 'one'; put each other namespace's documents into a subfolder",
    ),
    "the platform's namespace twice": (
        {"a.yaml": budget_document(entry(), namespace="llm"), "llm/b.yaml": THEIRS},
        "llm",
        "is the namespace of",
    ),
    "a name twice": (
        {"a.yaml": OURS, "b.yaml": OURS},
        "b.yaml",
        "the name 'ours' is taken by the EnterpriseAgentgatewayBudget in",
    ),
    "a name twice in the two formats of limits": (
        {"a.yaml": ONE_TEAM, "team-token-budget.yaml": ratelimit_file({"key": "x", "rate_limit": limit(1)})},
        "team-token-budget.yaml",
        "the name 'team-token-budget' is taken by the RateLimitConfig in",
    ),
    "enforcement by a team": (
        {"a.yaml": OURS, "dba/e.yaml": enforcement({"from": "All"})},
        "dba/e.yaml: kind",
        "the EnterpriseAgentgatewayPolicy 'enforcement' decides which documents count, so only the namespace",
    ),
    "labels by a team": (
        {"a.yaml": OURS, "dba/n.yaml": namespace("dba", budgets="own")},
        "dba/n.yaml: kind",
        "the Namespace 'dba' decides",
    ),
    "enforcement twice": (
        {"a.yaml": enforcement({"from": "All"}), "b.yaml": enforcement({"from": "Same"}, "other")},
        "b.yaml",
        "is the enforcement policy already; put both into one",
    ),
    "keys twice": (
        {"a.yaml": key_policy({"secretRef": {"name": "a"}}), "b.yaml": key_policy({"secretRef": {"name": "b"}}, "other")},
        "b.yaml",
        "is the policy with apiKeyAuthentication already; put both into one",
    ),
    "a selector that is none": (
        {"a.yaml": enforcement({"from": "Selector"})},
        "a.yaml: spec.traffic.entBudgetEnforcement.discovery.namespaces",
        "selector goes with from: Selector, and only with it",
    ),
    "a discovery of another kind": (
        {"a.yaml": enforcement({"from": "Some"})},
        "a.yaml: spec.traffic.entBudgetEnforcement.discovery.namespaces.from",
        "Input should be 'Same', 'Selector' or 'All'",
    ),
}


@pytest.mark.parametrize(("files", "place", "reason"), REFUSED.values(), ids=REFUSED)
def test_a_folder_that_contradicts_itself_is_refused(tmp_path: Path, files: Mapping[str, str], place: str, reason: str) -> None:
    folder = lay_out(tmp_path / "platform", files)
    with pytest.raises(PolicyError) as refusal:
        read_policy(folder)
    assert str(refusal.value).startswith(f"{folder}{place and '/'}{place}: ")
    assert reason in str(refusal.value)
