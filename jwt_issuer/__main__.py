"""`python -m jwt_issuer`, also installed as `jwt-issuer`: serve the keys and keep the tokens fresh; mint, verify, rotate."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from jwt_issuer import commands
from jwt_issuer.config import Settings
from jwt_issuer.oauth.clients import ClientsError
from jwt_issuer.serving import serve
from jwt_issuer.stores import StoreError
from service.environment import parser_for, read_environment
from service.logs import configure_logging
from service.teams import TeamsError

ABOUT = """\
Signs the tokens that say for whom an agent or a user calls, and publishes the keys that a gateway verifies them with.

A fresh token for every team and user of the team list is kept in <JWT_ISSUER_STATE>/tokens/<sub>.jwt (in a cluster: in Secrets
jwt-<sub>). Programs ask POST /token (OAuth 2.0 client credentials). No token is ever printed. A gateway needs:
  the keys    http://HOST:PORT/.well-known/jwks.json
  the issuer  JWT_ISSUER_ISSUER, by default agentic-budgets
"""


def main(arguments: Sequence[str] | None = None) -> None:
    asked = _parser().parse_args(arguments)
    try:
        _run(asked)
    except (StoreError, TeamsError, ClientsError) as error:
        raise SystemExit(str(error)) from None


def _run(asked: argparse.Namespace) -> None:
    match asked.command:
        case "decode":
            commands.decode(asked.file)
        case "secret":
            commands.secret(asked.out)
        case "mint":
            commands.mint(_settings(), asked.sub, asked.out, ttl=asked.ttl, audience=asked.audience, claims=asked.claim)
        case "verify":
            commands.verify(_settings(), asked.file, asked.audience)
        case "rotate":
            commands.rotate(_settings(), asked.key, asked.at_once)
        case "keys":
            commands.keys(_settings())
        case _:
            settings = _settings()
            configure_logging()
            serve(settings)


def _settings() -> Settings:
    return read_environment(Settings)


def _parser() -> argparse.ArgumentParser:
    parser = parser_for(Settings, "jwt-issuer", ABOUT)
    names = "serve,mint,decode,verify,rotate,keys,secret"
    groups = parser.add_subparsers(dest="command", title="commands", metavar=f"{{{names}}}")
    groups.add_parser("serve", help="serve the keys and keep the tokens fresh (the default)")

    mint = groups.add_parser("mint", help="write a token for a team or a user to a file of mode 0600")
    mint.add_argument("sub", metavar="SUB", help="a team's or a user's name in the team list")
    mint.add_argument("--out", metavar="FILE", type=Path, required=True, help="where the token goes")
    mint.add_argument("--ttl", metavar="SECONDS", type=int, help="how long it is valid, in place of JWT_ISSUER_TTL")
    mint.add_argument("--audience", metavar="AUD", help="whom it is for, in place of JWT_ISSUER_AUDIENCE")
    mint.add_argument("--claim", metavar="NAME=VALUE", action="append", default=[], help="a claim more, such as group=data")

    decode = groups.add_parser("decode", help="print what a token says, without its signature and without verifying it")
    decode.add_argument("file", metavar="FILE", type=Path, help="a file that holds a token")

    verify = groups.add_parser("verify", help="print what a token says if a gateway would take it; else say why not")
    verify.add_argument("file", metavar="FILE", type=Path, help="a file that holds a token")
    verify.add_argument("--audience", metavar="AUD", help="whom it must be for, in place of JWT_ISSUER_AUDIENCE")

    rotate = groups.add_parser("rotate", help="publish the next key, which signs once every verifier knows it")
    rotate.add_argument("--key", metavar="FILE", type=Path, help="a private RSA key in PEM to import, in place of a new one")
    rotate.add_argument(
        "--at-once",
        action="store_true",
        help="for a leaked key: sign with the new one now, and make every earlier token invalid",
    )
    groups.add_parser("keys", help="list the keys: next, current and retiring")

    secret = groups.add_parser("secret", help="make a client's secret: the hash is printed, the secret goes into a file")
    secret.add_argument("--out", metavar="FILE", type=Path, required=True, help="where the secret goes")
    return parser


if __name__ == "__main__":
    main()
