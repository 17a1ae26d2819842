from pathlib import Path

import pytest
from pydantic import ValidationError

from service.teams import Team, TeamsError, read_teams

ROOT = Path(__file__).parents[3]


def a_file(folder: Path, text: str) -> Path:
    path = folder / "teams.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def a_list(*teams: str) -> str:
    return "teams:\n" + "".join(f"  - {team}\n" for team in teams)


def refusal(folder: Path, text: str) -> str:
    path = a_file(folder, text)
    with pytest.raises(TeamsError) as caught:
        read_teams(path)
    sentence = str(caught.value)
    assert sentence.startswith(f"{path}: ")
    assert sentence.endswith(".")
    assert "\n" not in sentence
    return sentence.removeprefix(f"{path}: ")


def test_the_projects_own_list_is_read_in_its_order() -> None:
    teams = read_teams(ROOT / "policy" / "teams.yaml")
    assert [(team.name, team.users) for team in teams] == [("dba", ("alice", "bob")), ("support", ("carol",))]


def test_a_team_may_have_no_users(tmp_path: Path) -> None:
    path = a_file(tmp_path, a_list("{name: dba, description: Databases., users: []}"))
    assert read_teams(path) == (Team(name="dba", description="Databases.", users=()),)


def test_a_team_cannot_be_changed_after_reading() -> None:
    team = Team(name="dba", description="Databases.", users=())
    with pytest.raises(ValidationError):
        team.name = "support"


@pytest.mark.parametrize("name", ["a", "dba-2", "a" * 63])
def test_a_name_that_kubernetes_would_take_is_accepted(tmp_path: Path, name: str) -> None:
    path = a_file(tmp_path, a_list(f"{{name: {name}, description: D., users: []}}"))
    assert read_teams(path)[0].name == name


@pytest.mark.parametrize("name", ["DBA", "2dba", "-dba", "d_ba", '"dba\\n"', '""', '"dbä"', "a" * 64, '"a b"'])
def test_any_other_name_is_refused(tmp_path: Path, name: str) -> None:
    team = refusal(tmp_path, a_list(f"{{name: {name}, description: D., users: []}}"))
    assert team.startswith("teams[0].name: ")
    assert "is not a name" in team
    user = refusal(tmp_path, a_list(f"{{name: dba, description: D., users: [alice, {name}]}}"))
    assert user.startswith("teams[0].users[1]: ")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "the document: a mapping is expected."),
        ("[]", "the document: a mapping is expected."),
        ("{}", "teams: this field is missing."),
        ("teams: []", "teams: the list is empty."),
        ("teams: dba", "teams: a list is expected."),
        ("teams: [dba]", "teams[0]: a mapping is expected."),
        (a_list("{name: dba, description: D., users: [], budget: 1}"), "teams[0].budget: this field is unknown."),
        (a_list("{name: dba, description: D., users: []}") + "owner: me", "owner: this field is unknown."),
        (a_list("{name: dba, description: D.}"), "teams[0].users: this field is missing."),
        (a_list("{name: on, description: D., users: []}"), "teams[0].name: text is expected."),
        (a_list("{name: dba, description: '', users: []}"), "teams[0].description: the text is empty."),
        (a_list("{name: dba, description: D., users: alice}"), "teams[0].users: a list is expected."),
        (a_list("{name: dba, description: D., users: [7]}"), "teams[0].users[0]: text is expected."),
    ],
)
def test_a_malformed_list_is_refused_with_its_place_and_reason(tmp_path: Path, text: str, sentence: str) -> None:
    assert refusal(tmp_path, text) == sentence


@pytest.mark.parametrize(
    ("teams", "sentence"),
    [
        (
            ["{name: dba, description: D., users: []}", "{name: dba, description: D., users: []}"],
            "teams[1].name: the name 'dba' is taken by teams[0].name.",
        ),
        (
            ["{name: dba, description: D., users: [alice]}", "{name: support, description: D., users: [bob, alice]}"],
            "teams[1].users[1]: the name 'alice' is taken by teams[0].users[0].",
        ),
        (
            ["{name: dba, description: D., users: [alice, alice]}"],
            "teams[0].users[1]: the name 'alice' is taken by teams[0].users[0].",
        ),
        (
            ["{name: dba, description: D., users: [dba]}"],
            "teams[0].users[0]: the name 'dba' is taken by teams[0].name.",
        ),
    ],
)
def test_a_name_stands_for_one_subject_only(tmp_path: Path, teams: list[str], sentence: str) -> None:
    assert refusal(tmp_path, a_list(*teams)) == sentence


def test_a_key_given_twice_is_refused_rather_than_half_read(tmp_path: Path) -> None:
    assert "the key 'name' stands twice" in refusal(tmp_path, a_list("{name: dba, name: support, description: D., users: []}"))


@pytest.mark.parametrize("text", ["teams: [", "teams: !!python/object/apply:os.getcwd []", "? [a]\n: b", "[" * 5000])
def test_text_that_is_not_plain_yaml_is_refused(tmp_path: Path, text: str) -> None:
    assert refusal(tmp_path, text).startswith("the team list is not YAML: ")


def test_bytes_that_are_not_utf8_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "teams.yaml"
    path.write_bytes(b"teams: \xff")
    with pytest.raises(TeamsError, match="the team list is not YAML"):
        read_teams(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = tmp_path / "absent.yaml"
    with pytest.raises(TeamsError) as caught:
        read_teams(path)
    assert str(caught.value) == f"{path}: the team list cannot be read: No such file or directory."


def test_two_documents_are_refused_rather_than_half_read(tmp_path: Path) -> None:
    one = a_list("{name: dba, description: D., users: []}")
    assert refusal(tmp_path, f"{one}---\n{one}") == "the team list is 2 documents: put all teams into one."


@pytest.mark.parametrize("name", ["dba-", "-dba", "Dba", "d_ba", "", "d" * 64])
def test_a_name_that_kubernetes_would_refuse_is_refused(tmp_path: Path, name: str) -> None:
    assert "is not a name" in refusal(tmp_path, a_list(f"{{name: '{name}', description: D., users: []}}"))
