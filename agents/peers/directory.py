"""Which agents may be called, as the variable PEERS has them, and under which names the LLM knows them."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import urlsplit

LABEL = r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?"
KAGENT_NAME = re.compile(rf"(?:(?P<namespace>{LABEL})/)?(?P<name>{LABEL})", re.ASCII)
"""RFC 1123, as Kubernetes has names."""

LONGEST_NAME = 128
LONGEST_TOOL = 64
"""OpenAI's API takes no longer name of a function."""


@dataclass(frozen=True)
class Peer:
    """`name`, under kagent `namespace/name`, stands in lineages; `tool` is the LLM's. `url` has no slash at the end."""

    name: str
    url: str
    tool: str
    through_kagent: bool = False


def parse_peers(text: str, kagent_url: str | None = None, kagent_namespace: str | None = None) -> tuple[Peer, ...]:
    """`name=url` or the name of an agent of kagent's, with commas between. Raises ValueError, in one sentence."""
    peers: dict[str, Peer] = {}
    for entry in filter(None, (entry.strip() for entry in text.split(","))):
        name, url, through_kagent = _read(entry, kagent_url, kagent_namespace)
        if name in peers:
            raise ValueError(f"it names {name!r} twice: give each agent a name of its own")
        tool = tool_name(name, {peer.tool for peer in peers.values()})
        peers[name] = Peer(name, url, tool, through_kagent)
    return tuple(peers.values())


def _read(entry: str, kagent_url: str | None, kagent_namespace: str | None) -> tuple[str, str, bool]:
    name, equals, url = (part.strip() for part in entry.partition("="))
    if equals:
        return _checked_name(name, entry), _checked_url(name, url), False
    if "://" in entry:
        raise ValueError(f"{_quote(entry)} has no name: write name={_quote(entry, mark='')}")
    match = KAGENT_NAME.fullmatch(entry)
    if match is None:
        raise ValueError(f"{_quote(entry)} is neither name=url nor the name of an agent of kagent's: name or namespace/name")
    namespace = match["namespace"] or kagent_namespace
    if not kagent_url:
        raise ValueError(f"{entry!r} has no url, and KAGENT_URL is not set to look it up: write {entry}=http://...")
    if not namespace:
        raise ValueError(f"{entry!r} has no namespace, and KAGENT_NAMESPACE is not set: write namespace/{entry}")
    return f"{namespace}/{match['name']}", f"{kagent_url.rstrip('/')}/api/a2a/{namespace}/{match['name']}", True


def _checked_name(name: str, entry: str) -> str:
    if not name or len(name) > LONGEST_NAME or not name.isprintable() or " " in name:
        raise ValueError(
            f"{_quote(entry)} has no usable name before the =: write name=url, the name without spaces, "
            f"up to {LONGEST_NAME} characters"
        )
    return name


def _checked_url(name: str, url: str) -> str:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0 and url.isprintable()
    except ValueError:
        usable = False
    if not usable or " " in url:
        raise ValueError(f"{name!r} needs an address that starts with http:// or https:// and names a host")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError(f"the address of {name!r} must end with its path: no user, no query, no fragment")
    return url.rstrip("/")


def _quote(text: str, mark: str = "'") -> str:
    """Never what stands before an @ in an address: it may be a password."""
    shown = re.sub(r"//[^/]*@", "//...@", "".join(filter(str.isprintable, text)))
    return f"{mark}{shown[:100]}{mark}"


def tool_name(name: str, taken: Collection[str] = ()) -> str:
    """kagent's UI shows as an agent what has `__NS__` in its name. OpenAI's API wants letters, digits, _ and -."""
    namespace, slash, last = name.rpartition("/")
    marked = f"{namespace}__NS__{last.replace('-', '_')}" if slash and namespace else last
    tool = re.sub(r"[^A-Za-z0-9_-]", "_", marked)[:LONGEST_TOOL]
    number, plain = 1, tool
    while tool in taken:
        number += 1
        tool = f"{plain[: LONGEST_TOOL - len(str(number)) - 1]}_{number}"
    return tool
