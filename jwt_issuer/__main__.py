"""`python -m jwt_issuer`, also installed as `jwt-issuer`: serve the key and keep the tokens fresh; mint; decode."""

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

import jwt

from jwt_issuer.app import create_app
from jwt_issuer.config import Settings
from jwt_issuer.keys import KeyFileError, load_or_create_key
from jwt_issuer.renewal import Renewal
from jwt_issuer.tokens import Mint, Subject, TokenFiles, subjects_of, write_token
from service.environment import parser_for, read_environment
from service.http import listen, server
from service.logs import configure_logging
from service.teams import TeamsError, read_teams


def main(arguments: Sequence[str] | None = None) -> None:
    asked = _parser().parse_args(arguments)
    try:
        if asked.command == "mint":
            mint(asked.sub, asked.out)
        elif asked.command == "decode":
            decode(asked.file)
        else:
            serve()
    except (KeyFileError, TeamsError) as error:
        raise SystemExit(str(error)) from None
    except OSError as error:
        raise SystemExit(f"{error.filename}: {error.strerror}. Name a place that this user may read and write.") from None


def serve() -> None:
    settings = read_environment(Settings)
    configure_logging()
    coiner, subjects = _mint(settings)
    # The address first: a second issuer that cannot have it must leave the first one's tokens alone.
    socket = listen(settings.host, settings.port, "JWT_ISSUER_PORT")
    renewal = Renewal(TokenFiles(settings.state / "tokens", coiner, subjects))
    renewal.renew()
    server(create_app(coiner.key, renewal)).run(sockets=[socket])


def mint(sub: str, out: Path) -> None:
    coiner, subjects = _mint(read_environment(Settings))
    known = {subject.name: subject for subject in subjects}
    if sub not in known:
        raise SystemExit(f"{sub!r} is not in the team list, which has {', '.join(known)}. Name one, or add it to the list.")
    try:
        write_token(out, coiner.token(known[sub], time.time()))
    except OSError as error:
        raise SystemExit(f"{out} cannot be written: {error.strerror}. Name a file in a folder of yours.") from None


def decode(file: Path) -> None:
    token = file.read_bytes().strip()
    try:
        # Not verified: this is for reading, and says so.
        claims = jwt.decode(token, options={"verify_signature": False})
        header = jwt.get_unverified_header(token)
    except jwt.InvalidTokenError:
        raise SystemExit(f"{file} does not hold a token. Name a file that `mint` or the issuer wrote.") from None
    print(json.dumps({"verified": False, "header": header, "claims": claims}, indent=2))


def _mint(settings: Settings) -> tuple[Mint, tuple[Subject, ...]]:
    subjects = subjects_of(read_teams(settings.teams))
    key = load_or_create_key(settings.state)
    return Mint(key, settings.issuer, settings.audience, settings.ttl), subjects


def _parser() -> argparse.ArgumentParser:
    parser = parser_for(
        Settings,
        "jwt-issuer",
        "Publishes the key that the agents' tokens are signed with, and keeps a fresh token for every team "
        "and user in <JWT_ISSUER_STATE>/tokens/<sub>.jwt. No token is ever printed or served.",
    )
    commands = parser.add_subparsers(dest="command", title="commands", metavar="{serve,mint,decode}")
    commands.add_parser("serve", help="serve the key set and keep the tokens fresh (the default)")
    minting = commands.add_parser("mint", help="write a token for a team or a user to a file of mode 0600")
    minting.add_argument("sub", metavar="SUB", help="a team's or a user's name in the team list")
    minting.add_argument("--out", metavar="FILE", type=Path, required=True, help="where the token goes")
    decoding = commands.add_parser("decode", help="print what a token says, without its signature and without verifying it")
    decoding.add_argument("file", metavar="FILE", type=Path, help="a file that holds a token")
    return parser


if __name__ == "__main__":
    main()
