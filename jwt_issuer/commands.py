"""What the command line does beside serving. Each raises SystemExit, StoreError or TeamsError with a sentence."""

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jwt

from jwt_issuer.config import Settings
from jwt_issuer.files import replace_file
from jwt_issuer.keys.keychain import Keychain
from jwt_issuer.keys.ring import KeyRing, RotationError
from jwt_issuer.keys.signing_key import SigningKey, WrongKeyError
from jwt_issuer.oauth.client_secrets import hash_secret, new_secret
from jwt_issuer.serving import mint_of, open_place, read_subjects
from jwt_issuer.tokens import OWN_CLAIMS

_NO_KEY = "There is no key yet; the issuer makes one when it starts."


def mint(
    settings: Settings, sub: str, out: Path, *, ttl: int | None = None, audience: str | None = None, claims: Sequence[str] = ()
) -> None:
    known = {subject.name: subject for subject in read_subjects(settings)}
    if sub not in known:
        raise SystemExit(f"{sub!r} is not in the team list, which has {', '.join(known)}. Name one, or add it to the list.")
    if ttl is not None and not 0 < ttl <= settings.longest_ttl:
        raise SystemExit(f"--ttl {ttl} is not from 1 to {settings.longest_ttl} seconds, which JWT_ISSUER_LONGEST_TTL allows.")
    more = dict(_claim(claim) for claim in claims)
    usual = mint_of(settings, Keychain(open_place(settings).keys))
    write_private(out, replace(usual, ttl=ttl or usual.ttl, audience=audience or usual.audience).token(known[sub], more))


def decode(file: Path) -> None:
    token = _token_in(file)
    claims = jwt.decode(token, options={"verify_signature": False})
    # Not verified: this is for reading, and says so.
    _print({"verified": False, "header": jwt.get_unverified_header(token), "claims": claims})


def verify(settings: Settings, file: Path, audience: str | None) -> None:
    token = _token_in(file)
    store = open_place(settings).keys
    if store.read() is None:
        raise SystemExit(_NO_KEY)
    keychain = Keychain(store)
    try:
        claims = keychain.verify(token, issuer=settings.issuer, audience=audience or settings.audience)
    except jwt.InvalidTokenError as error:
        reason = str(error).rstrip(".")
        expected = f"JWT_ISSUER_ISSUER={settings.issuer} and the audience {audience or settings.audience}"
        raise SystemExit(f"{file} holds a token that a gateway refuses: {reason}. It was checked for {expected}.") from None
    _print({"verified": True, "header": jwt.get_unverified_header(token), "claims": claims})


def secret(out: Path) -> None:
    if out.exists():
        raise SystemExit(
            f"{out} is there already, and may be the secret of a client that uses it. Name another file, or delete it."
        )
    fresh = new_secret()
    write_private(out, fresh)
    print(hash_secret(fresh))


def rotate(settings: Settings, key_file: Path | None, at_once: bool) -> None:
    key = SigningKey.generate() if key_file is None else _imported(key_file)
    now = int(time.time())

    def change(ring: KeyRing | None) -> KeyRing:
        return KeyRing.of(key, now) if ring is None or at_once else ring.with_next(key, now)

    try:
        ring = open_place(settings).keys.update(change)
    except RotationError as error:
        raise SystemExit(str(error)) from None
    if len(ring.keys) == 1:
        print(f"The key {key.kid} signs from now on, and no other is valid any more.")
    else:
        print(
            f"The key {key.kid} is next. The issuer publishes it within seconds, or as soon as it runs, and lets it sign after "
            "JWT_ISSUER_OVERLAP. `jwt-issuer keys` says when that is."
        )


def keys(settings: Settings) -> None:
    ring = open_place(settings).keys.read()
    if ring is None:
        print(_NO_KEY)
        return
    row = "{:<44}{:<10}{:<22}{:<22}{}"
    print(row.format("kid", "state", "published", "signs from", "leaves").rstrip())
    for place in ring.places(time.time()):
        times = map(_when, (place.key.published, place.key.signs_from, place.leaves_at))
        print(row.format(place.key.kid, place.state, *times).rstrip())


def write_private(out: Path, secret: str) -> None:
    """The text and nothing else, in a file of mode 0600."""
    try:
        replace_file(out, secret.encode())
    except OSError as error:
        raise SystemExit(f"{out} cannot be written: {error.strerror}. Name a file in a folder of yours.") from None


def _claim(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise SystemExit(f"--claim {text!r} is not written name=value.")
    if name in OWN_CLAIMS | {"team"}:
        raise SystemExit(f"--claim {name}: the issuer says this claim itself; leave it out.")
    return name, value


def _imported(file: Path) -> SigningKey:
    try:
        return SigningKey.from_pem(file.read_bytes())
    except OSError as error:
        raise SystemExit(f"{file} cannot be read: {error.strerror}. Name the file that holds the key.") from None
    except WrongKeyError as error:
        raise SystemExit(f"{file} {error}. Name one that `openssl genrsa 2048` wrote.") from None


def _token_in(file: Path) -> str:
    try:
        token = file.read_bytes().strip().decode("ascii")
        jwt.decode(token, options={"verify_signature": False})
    except OSError as error:
        raise SystemExit(f"{file} cannot be read: {error.strerror}. Name the file that holds the token.") from None
    except (jwt.InvalidTokenError, UnicodeDecodeError):
        raise SystemExit(f"{file} does not hold a token. Name a file that `mint` or the issuer wrote.") from None
    return token


def _when(seconds: int | None) -> str:
    return "" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _print(shown: dict[str, Any]) -> None:
    print(json.dumps(shown, indent=2))
