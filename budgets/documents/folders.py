"""Where documents lie: a file, or a folder of which each subfolder is a namespace of its own."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from budgets.documents.catalogs import CATALOG, CatalogDocument
from budgets.documents.errors import PolicyError
from budgets.documents.found import Found, find_in

SUFFIXES = {".yaml", ".yml"}

DEFAULT_NAMESPACE = "default"
"""As in Kubernetes, where no document names one. The folder's own name would change with the place of a copy, and with it
the names of the budgets and what they have used."""


@dataclass(frozen=True)
class Folder:
    """What one namespace holds."""

    namespace: str
    documents: tuple[Found, ...]
    catalogs: tuple[CatalogDocument, ...] = ()


def folders_of(path: Path) -> tuple[Folder, ...]:
    """One folder for each namespace, the enforcing one first. Raises PolicyError.

    Hidden files and folders are skipped: a mounted ConfigMap keeps its files in one, behind links that stand beside it.
    """
    if not path.is_dir():
        documents = find_in(path)
        return (Folder(_stated(documents) or DEFAULT_NAMESPACE, _of_one_namespace(documents)),)
    enforcing = _folder(path)
    namespace = _stated(enforcing.documents) or DEFAULT_NAMESPACE
    first = Folder(namespace, _of_one_namespace(enforcing.documents), enforcing.catalogs)
    others = tuple(_folder(each) for each in _visible(path) if each.is_dir())
    for each in others:
        _of_one_namespace(each.documents, each.namespace)
        if each.namespace == first.namespace:
            raise PolicyError(path / each.namespace, "", f"is the namespace of {path} itself; put its files there")
    return (first, *others)


def _folder(path: Path) -> Folder:
    files = [each for each in _visible(path) if not each.is_dir()]
    documents = tuple(found for file in files if file.suffix in SUFFIXES for found in find_in(file))
    return Folder(path.name, documents, tuple(_catalog(file) for file in files if file.name == CATALOG))


def _visible(path: Path) -> Iterator[Path]:
    try:
        yield from sorted(each for each in path.iterdir() if not each.name.startswith("."))
    except OSError as error:
        raise PolicyError(path, "", f"cannot be read: {error.strerror}") from None


def _catalog(file: Path) -> CatalogDocument:
    try:
        return CatalogDocument(file, "", file.read_text(encoding="utf-8"))
    except OSError as error:
        raise PolicyError(file, "", f"cannot be read: {error.strerror}") from None
    except ValueError:
        raise PolicyError(file, "", "is not UTF-8 text") from None


def _stated(documents: tuple[Found, ...]) -> str | None:
    return next((found.namespace for found in documents if found.namespace), None)


def _of_one_namespace(documents: tuple[Found, ...], namespace: str | None = None) -> tuple[Found, ...]:
    """Raises PolicyError where a document says that it belongs elsewhere."""
    expected = namespace or _stated(documents)
    for found in documents:
        if found.namespace not in (None, expected):
            reason = f"is {found.namespace!r}, but the documents beside it belong to {expected!r}"
            remedy = "put each other namespace's documents into a subfolder of its name"
            raise found.error(("metadata", "namespace"), f"{reason}; {remedy}")
    return documents
