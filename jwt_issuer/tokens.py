"""Tokens: who gets one, what it claims (RFC 7519), and the files that hold them."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import jwt

from jwt_issuer.files import private_folder, replace_private
from jwt_issuer.keys import ALGORITHM, SigningKey
from service.teams import Team


@dataclass(frozen=True)
class Subject:
    """Someone a token speaks for: a team (its name is then its own team) or one of its users."""

    name: str
    team: str


def subjects_of(teams: Iterable[Team]) -> tuple[Subject, ...]:
    return tuple(Subject(name, team.name) for team in teams for name in (team.name, *team.users))


@dataclass(frozen=True)
class Mint:
    """Signs tokens for an audience. `ttl` is in seconds."""

    key: SigningKey
    issuer: str
    audience: str
    ttl: int

    def token(self, subject: Subject, now: float) -> str:
        """A compact JWS, with the claims iss, sub, team, aud, iat and exp; `now` is in seconds since 1970."""
        issued = int(now)
        claims = {
            "iss": self.issuer,
            "sub": subject.name,
            "team": subject.team,
            "aud": self.audience,
            "iat": issued,
            "exp": issued + self.ttl,
        }
        # PyJWT writes `typ: JWT` itself.
        return jwt.encode(claims, self.key.private, algorithm=ALGORITHM, headers={"kid": self.key.kid})


@dataclass(frozen=True)
class TokenFiles:
    """`<folder>/<sub>.jwt` for every subject, mode 0600 in a folder of mode 0700."""

    folder: Path
    mint: Mint
    subjects: tuple[Subject, ...]

    def write(self, now: float) -> None:
        """Mint afresh for all subjects, and remove the files of those no longer listed. Raises OSError."""
        folder = private_folder(self.folder)
        for subject in self.subjects:
            write_token(folder / f"{subject.name}.jwt", self.mint.token(subject, now))
        listed = {f"{subject.name}.jwt" for subject in self.subjects}
        for path in folder.glob("*.jwt"):
            if path.name not in listed:
                path.unlink(missing_ok=True)


def write_token(path: Path, token: str) -> None:
    """The token and nothing else, not even a line end: clients put the whole file behind `Bearer `."""
    replace_private(path, token.encode())
