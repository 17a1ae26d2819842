"""A token store and a leadership in memory, which fail where a test says so."""

from dataclasses import dataclass, field

import jwt

from jwt_issuer.stores import StoreAwayError, StoreError

from .rings import START


@dataclass
class Tokens:
    """A TokenStore in memory, in which some may fail."""

    kept: dict[str, str] = field(default_factory=dict)
    published: list[bytes] = field(default_factory=list)
    puts: list[str] = field(default_factory=list)
    failing: set[str] = field(default_factory=set)
    foreign: bool = False
    """The place of the key set is somebody else's."""

    def token(self, sub: str) -> str | None:
        return self.kept.get(sub)

    def put(self, sub: str, team: str, token: str) -> None:
        if sub in self.failing:
            raise StoreError(f"The token of {sub}, of {team}, cannot be kept. Wait.")
        self.puts.append(sub)
        self.kept[sub] = token

    def keep_only(self, subs: frozenset[str]) -> None:
        self.kept = {sub: token for sub, token in self.kept.items() if sub in subs}

    def publish(self, key_set: bytes) -> None:
        if self.foreign:
            raise StoreError("The key set is somebody else's. Delete it.")
        self.published.append(key_set)

    def issued(self, sub: str = "alice") -> int:
        """In seconds since START."""
        claims = jwt.decode(self.kept[sub], options={"verify_signature": False})
        return int(claims["iat"]) - START


@dataclass
class Lead:
    """A Leadership. `holds_for` is how often it still holds when asked between two writes, before it is lost for good."""

    leading: bool = True
    away: bool = False
    holds_for: int = 10**9

    @property
    def holds(self) -> bool:
        self.holds_for -= 1
        self.leading = self.leading and self.holds_for >= 0
        return self.leading

    def leads(self) -> bool:
        if self.away:
            raise StoreAwayError("Nobody can be asked who leads. Wait.")
        return self.leading

    def release(self) -> None:
        self.leading = False
