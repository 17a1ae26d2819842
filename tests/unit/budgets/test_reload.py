import logging
import stat
from pathlib import Path

import pytest

from budgets.documents.errors import PolicyError
from budgets.matching.policy import Call
from budgets.reload import PolicyFile
from tests.unit.budgets.policies import ONE_TEAM, budget_document, entry, key_policy, lay_out, limit, ratelimit_file, secret

pytestmark = pytest.mark.anyio

DOMAIN = "tests"
DBA = Call(((("team", "dba"),),), described=True)
GOOD = ONE_TEAM
LOWERED = ONE_TEAM.replace("5000", "4000")
BAD = ONE_TEAM.replace("HOUR", "FORTNIGHT")
KEY = "sk-alice-abc123def456"


def limits(policy_file: PolicyFile) -> dict[str, int]:
    return {each.budget.id: each.budget.limit for each in policy_file.rules.policy.applying(DBA)}


def state(policy_file: PolicyFile) -> tuple[dict[str, int], str | None]:
    return limits(policy_file), policy_file.error


def names(folder: Path) -> set[str]:
    return {each.name for each in folder.iterdir()}


def messages(caplog: pytest.LogCaptureFixture, level: int) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == level]


@pytest.fixture(params=["file", "folder"])
def policy(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A policy of one file, or a folder with one."""
    folder = lay_out(tmp_path / "policy", {"budgets.yaml": GOOD})
    return folder / "budgets.yaml" if request.param == "file" else folder


def document(policy: Path) -> Path:
    return policy / "budgets.yaml" if policy.is_dir() else policy


def write(policy: Path, text: str) -> None:
    document(policy).write_text(text, encoding="utf-8")


async def test_a_good_edit_is_taken_up(policy: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    policy_file = PolicyFile(policy, DOMAIN)
    loaded_at = policy_file.loaded_at
    write(policy, LOWERED)
    await policy_file.look()
    assert limits(policy_file) == {"team-token-budget/dba/hour": 4_000}
    assert policy_file.error is None
    assert policy_file.loaded_at > loaded_at
    assert messages(caplog, logging.INFO) == [f"took up the policy {policy}"]


async def test_without_an_edit_nothing_is_read_anew(policy: Path) -> None:
    policy_file = PolicyFile(policy, DOMAIN)
    rules = policy_file.rules
    await policy_file.look()
    assert policy_file.rules is rules


async def test_a_bad_edit_keeps_the_last_good_policy_and_is_said_once(policy: Path, caplog: pytest.LogCaptureFixture) -> None:
    policy_file = PolicyFile(policy, DOMAIN)
    write(policy, BAD)
    await policy_file.look()
    await policy_file.look()
    assert limits(policy_file) == {"team-token-budget/dba/hour": 5_000}
    assert policy_file.error and policy_file.error.startswith(f"{document(policy)}: spec.raw.descriptors[0].rateLimit.unit")
    assert messages(caplog, logging.ERROR) == [f"kept the last good policy: {policy_file.error}"]
    write(policy, LOWERED)
    await policy_file.look()
    assert state(policy_file) == ({"team-token-budget/dba/hour": 4_000}, None)


async def test_an_edit_that_no_reader_foresaw_is_refused_too_and_the_next_good_one_is_taken_up(policy: Path) -> None:
    """PyYAML itself stumbles over this one, with an AttributeError."""
    policy_file = PolicyFile(policy, DOMAIN)
    write(policy, 'note: !!timestamp "x"\n')
    await policy_file.look()
    assert policy_file.error
    write(policy, LOWERED)
    await policy_file.look()
    assert limits(policy_file) == {"team-token-budget/dba/hour": 4_000}


async def test_a_policy_that_is_taken_away_keeps_the_last_one_until_it_is_back(policy: Path) -> None:
    policy_file = PolicyFile(policy, DOMAIN)
    document(policy).unlink()
    await policy_file.look()
    assert policy_file.error and limits(policy_file) == {"team-token-budget/dba/hour": 5_000}
    write(policy, LOWERED)
    await policy_file.look()
    assert state(policy_file) == ({"team-token-budget/dba/hour": 4_000}, None)


async def test_a_file_that_comes_and_goes_in_a_folder_is_seen(tmp_path: Path) -> None:
    policy_file = PolicyFile(lay_out(tmp_path, {"a.yaml": GOOD}), DOMAIN)
    lay_out(tmp_path, {"b.yaml": budget_document(entry(subject={"team": "dba"}))})
    await policy_file.look()
    assert set(limits(policy_file)) == {"team-token-budget/dba/hour", "default/limits/spend"}
    (tmp_path / "a.yaml").unlink()
    await policy_file.look()
    assert set(limits(policy_file)) == {"default/limits/spend"}


async def test_an_edit_in_the_folder_of_a_namespace_is_seen(tmp_path: Path) -> None:
    enforced = lay_out(tmp_path, {"a.yaml": GOOD, "team-a/b.yaml": "{broken"})
    with pytest.raises(PolicyError):
        PolicyFile(enforced, DOMAIN)
    (tmp_path / "team-a" / "b.yaml").unlink()
    policy_file = PolicyFile(enforced, DOMAIN)
    lay_out(tmp_path, {"team-a/b.yaml": "{broken"})
    await policy_file.look()
    assert policy_file.error and "team-a" in policy_file.error


@pytest.mark.parametrize("place", ["", "team-a/"])
async def test_the_swapped_link_of_a_config_map_is_seen(tmp_path: Path, place: str) -> None:
    mount = tmp_path / "policy" / place if place else tmp_path / "policy"
    lay_out(tmp_path / "policy", {"other.yaml": budget_document(entry(subject={"team": "nobody"}))})
    lay_out(mount, {"..2026_1/b.yaml": GOOD, "..2026_2/b.yaml": BAD})
    (mount / "..data").symlink_to("..2026_1")
    (mount / "b.yaml").symlink_to("..data/b.yaml")
    policy_file = PolicyFile(tmp_path / "policy", DOMAIN)
    (mount / "..new").symlink_to("..2026_2")
    (mount / "..new").replace(mount / "..data")
    await policy_file.look()
    assert policy_file.error and policy_file.error.startswith(f"{mount / 'b.yaml'}: spec.raw.descriptors[0]")


async def test_an_edit_behind_a_link_to_the_folder_of_a_namespace_is_seen(tmp_path: Path) -> None:
    policy = lay_out(tmp_path / "policy", {"a.yaml": GOOD})
    elsewhere = lay_out(tmp_path / "elsewhere", {"b.yaml": budget_document(entry())})
    (policy / "team-a").symlink_to(elsewhere)
    policy_file = PolicyFile(policy, DOMAIN, tmp_path / "copy")
    assert (tmp_path / "copy" / "team-a" / "b.yaml").is_file()
    (elsewhere / "b.yaml").write_text("{broken")
    await policy_file.look()
    assert policy_file.error


async def test_a_file_that_is_no_document_is_never_looked_at(tmp_path: Path) -> None:
    policy = lay_out(tmp_path / "policy", {"a.yaml": GOOD, "notes.txt": "1", ".b.yaml": "2"})
    (policy / "dangling.txt").symlink_to("nowhere")
    policy_file = PolicyFile(policy, DOMAIN, tmp_path / "copy")
    rules = policy_file.rules
    lay_out(policy, {"notes.txt": "3", ".b.yaml": "4", ".hidden/c.yaml": "5"})
    await policy_file.look()
    assert policy_file.rules is rules
    lay_out(policy, {"a.yaml": LOWERED})
    await policy_file.look()
    assert limits(policy_file) == {"team-token-budget/dba/hour": 4_000}
    assert names(tmp_path / "copy") == {"a.yaml"}


async def test_a_price_and_a_key_are_taken_up_too(tmp_path: Path) -> None:
    policy = lay_out(
        tmp_path,
        {
            "a.yaml": GOOD,
            "keys.yaml": secret(stringData={"alice": KEY}),
            "source.yaml": key_policy({"secretRef": {"name": "keys"}}),
        },
    )
    policy_file = PolicyFile(policy, DOMAIN)
    assert policy_file.rules.keys.find(KEY) and policy_file.rules.prices.of("house-model") is None
    catalog = '{"providers": {"house": {"models": {"house-model": {"rates": {"input": "1", "output": "2"}}}}}}'
    lay_out(policy, {"catalog.json": catalog, "keys.yaml": secret(stringData={"alice": "sk-alice-the-second-one"})})
    await policy_file.look()
    assert policy_file.error is None
    assert policy_file.rules.keys.find(KEY) is None
    assert policy_file.rules.prices.of("house-model")


async def test_a_warning_of_the_policy_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    policy_file = PolicyFile(lay_out(tmp_path, {"a.yaml": GOOD, "b.yaml": secret(stringData={"alice": KEY})}), DOMAIN)
    assert messages(caplog, logging.WARNING) == list(policy_file.rules.warnings) != []
    assert KEY not in caplog.text


def test_a_bad_start_without_a_copy_is_refused(policy: Path, tmp_path: Path) -> None:
    write(policy, BAD)
    with pytest.raises(PolicyError):
        PolicyFile(policy, DOMAIN)
    with pytest.raises(PolicyError):
        PolicyFile(policy, DOMAIN, tmp_path / "copy")


async def test_a_bad_start_goes_on_with_the_copy_and_takes_up_the_next_good_edit(
    policy: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    copy = tmp_path / "deep" / "copy"
    PolicyFile(policy, DOMAIN, copy)
    write(policy, BAD)
    policy_file = PolicyFile(policy, DOMAIN, copy)
    assert limits(policy_file) == {"team-token-budget/dba/hour": 5_000}
    assert policy_file.error and policy_file.error.startswith(f"{document(policy)}: ")
    assert messages(caplog, logging.ERROR) == [f"kept the last good policy: {policy_file.error}"]
    write(policy, LOWERED)
    await policy_file.look()
    assert state(policy_file) == ({"team-token-budget/dba/hour": 4_000}, None)
    write(policy, BAD)
    assert limits(PolicyFile(policy, DOMAIN, copy)) == {"team-token-budget/dba/hour": 4_000}


def test_a_policy_that_is_gone_at_start_goes_on_with_the_copy(policy: Path, tmp_path: Path) -> None:
    PolicyFile(policy, DOMAIN, tmp_path / "copy")
    document(policy).unlink()
    assert limits(PolicyFile(policy, DOMAIN, tmp_path / "copy")) == {"team-token-budget/dba/hour": 5_000}


def test_a_bad_start_with_a_bad_copy_is_refused_for_the_policy_and_not_for_the_copy(
    policy: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    PolicyFile(policy, DOMAIN, tmp_path / "copy")
    (tmp_path / "copy" / "budgets.yaml").write_text("{broken")
    write(policy, BAD)
    with pytest.raises(PolicyError, match=f"^{document(policy)}: "):
        PolicyFile(policy, DOMAIN, tmp_path / "copy")
    assert "the copy of the last good policy cannot be used" in caplog.text


async def test_a_bad_edit_does_not_reach_the_copy(policy: Path, tmp_path: Path) -> None:
    policy_file = PolicyFile(policy, DOMAIN, tmp_path / "copy")
    write(policy, BAD)
    await policy_file.look()
    assert (tmp_path / "copy" / "budgets.yaml").read_text() == GOOD


async def test_the_copy_holds_the_documents_that_are_in_force_and_no_others(tmp_path: Path) -> None:
    files = {"a.yaml": GOOD, "catalog.json": '{"providers": {}}', "team-a/b.yaml": budget_document(entry())}
    policy = lay_out(tmp_path / "policy", files)
    copy = tmp_path / "copy"
    policy_file = PolicyFile(policy, DOMAIN, copy)
    assert {str(file.relative_to(copy)): file.read_text() for file in copy.rglob("*") if file.is_file()} == files
    (policy / "team-a" / "b.yaml").unlink()
    await policy_file.look()
    assert {file.name for file in copy.rglob("*") if file.is_file()} == {"a.yaml", "catalog.json"}
    assert names(tmp_path) == {"policy", "copy"}


def test_what_a_start_that_was_cut_short_has_left_is_not_taken_for_the_copy(tmp_path: Path) -> None:
    lay_out(tmp_path / "copy.new", {"team-a/b.yaml": "{broken"})
    PolicyFile(lay_out(tmp_path / "policy", {"a.yaml": GOOD}), DOMAIN, tmp_path / "copy")
    assert (names(tmp_path), names(tmp_path / "copy")) == ({"policy", "copy"}, {"a.yaml"})


async def test_the_copy_is_for_this_user_alone(tmp_path: Path) -> None:
    """Whatever the file mode mask, and also where a namespace's folder is the first to be written."""
    policy = lay_out(tmp_path / "policy", {"team-a/b.yaml": budget_document(entry()), "z.yaml": GOOD})
    copy = tmp_path / "copy"
    policy_file = PolicyFile(policy, DOMAIN, copy)
    for _ in range(2):
        modes = {each: stat.S_IMODE(each.stat().st_mode) for each in (copy, *copy.rglob("*"))}
        assert {mode for each, mode in modes.items() if each.is_dir()} == {0o700}
        assert {mode for each, mode in modes.items() if each.is_file()} == {0o600}
        lay_out(policy, {"z.yaml": LOWERED})
        await policy_file.look()


@pytest.mark.parametrize("name", ["policy.conf", "ratelimit", ".hidden.yaml"])
def test_a_file_of_any_name_can_be_read_again_from_its_copy(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.write_text(ratelimit_file({"key": "team", "value": "dba", "rate_limit": limit(7, "hour")}))
    before = limits(PolicyFile(file, DOMAIN, tmp_path / "copy"))
    file.write_text("{broken")
    assert limits(PolicyFile(file, DOMAIN, tmp_path / "copy")) == before != {}


def test_a_copy_that_cannot_be_written_is_said_and_nothing_else_happens(
    policy: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "taken").write_text("a file")
    policy_file = PolicyFile(policy, DOMAIN, tmp_path / "taken" / "copy")
    assert limits(policy_file) == {"team-token-budget/dba/hour": 5_000}
    (line,) = messages(caplog, logging.ERROR)
    assert line.startswith(f"{tmp_path / 'taken' / 'copy'}, which BUDGETS_IN_FORCE names, cannot be written: ")
