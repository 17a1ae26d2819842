"""Client secrets: made at random, and kept as scrypt hashes (RFC 7914) that say what they cost.

scrypt$ln=14,r=8,p=1$<salt>$<hash>        salt and hash in base64url without padding
"""

import base64
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field

LEAST_WORK, MOST_WORK = 2**17, 2**19
"""n * r * p: about 50 ms and 200 ms of one processor. No more than 128 bytes of memory go with each, so at most 64 MiB."""

_TEXT = re.compile(r"scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([\w-]{22,86})\$([\w-]{43,86})", re.ASCII)


class WrongHashError(ValueError):
    """A text that is no hash to work with; the message says why, as a sentence without its stop, and quotes none of it."""


@dataclass(frozen=True)
class Cost:
    """scrypt's parameters; `log2_n` is the logarithm of n to the base 2."""

    log2_n: int = 14
    r: int = 8
    p: int = 1

    @property
    def n(self) -> int:
        return 1 << self.log2_n

    @property
    def work(self) -> int:
        return self.n * self.r * self.p

    @property
    def is_possible(self) -> bool:
        """RFC 7914, section 2: n is less than 2 to the power of 16 * r."""
        return self.log2_n < 16 * self.r

    def digest(self, secret: str, salt: bytes, length: int) -> bytes:
        # OpenSSL refuses by default what takes 32 MiB.
        memory = 256 * self.work + 2**20
        return hashlib.scrypt(secret.encode(), salt=salt, n=self.n, r=self.r, p=self.p, maxmem=memory, dklen=length)


@dataclass(frozen=True)
class SecretHash:
    cost: Cost
    salt: bytes = field(repr=False)
    digest: bytes = field(repr=False)

    @classmethod
    def of(cls, secret: str, cost: Cost = Cost()) -> "SecretHash":
        salt = secrets.token_bytes(16)
        return cls(cost, salt, cost.digest(secret, salt, 32))

    @classmethod
    def of_nothing(cls) -> "SecretHash":
        """Costs what another does, and no secret is known that it matches."""
        return cls(Cost(), secrets.token_bytes(16), secrets.token_bytes(32))

    @classmethod
    def parse(cls, text: str) -> "SecretHash":
        """Raises WrongHashError, also for a hash that is too cheap to keep a secret or too costly to be checked."""
        found = _TEXT.fullmatch(text)
        if not found:
            raise WrongHashError("it is not a hash that `jwt-issuer secret` prints: make one with that")
        cost = Cost(*(int(figure) for figure in found.group(1, 2, 3)))
        if not (cost.is_possible and LEAST_WORK <= cost.work <= MOST_WORK):
            raise WrongHashError(
                "its ln, r and p ask for too little or too much work, or make no scrypt: make one with `jwt-issuer secret`"
            )
        return cls(cost, _octets(found[4]), _octets(found[5]))

    def __str__(self) -> str:
        cost = self.cost
        return f"scrypt$ln={cost.log2_n},r={cost.r},p={cost.p}${_text(self.salt)}${_text(self.digest)}"

    def matches(self, secret: str) -> bool:
        """Takes long, which is the point of it: call it in a thread."""
        return hmac.compare_digest(self.cost.digest(secret, self.salt, len(self.digest)), self.digest)


def new_secret() -> str:
    """256 random bits, of characters that Basic authentication carries as they are."""
    return secrets.token_urlsafe(32)


def hash_secret(secret: str) -> str:
    """What stands for the secret in the clients' file."""
    return str(SecretHash.of(secret))


def _octets(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        raise WrongHashError("its salt or its hash is not base64url: make one with `jwt-issuer secret`") from None


def _text(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()
