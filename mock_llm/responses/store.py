"""The responses that a later request can ask for or continue: the newest, and each for its caller alone."""

from collections import OrderedDict
from typing import NamedTuple

from mock_llm.ledger.ledger import Caller
from mock_llm.responses.input_items import InputItem
from mock_llm.responses.items import History

MOST_RESPONSES = 1000
MOST_BYTES = 64 << 20


class Kept(NamedTuple):
    document: bytes
    items: tuple[InputItem, ...]
    """Of the request's own input; that of the responses before it stays with them."""
    history: History

    def size(self) -> int:
        """In bytes, near enough."""
        return len(self.document) + sum(len(item.document) for item in self.items) + len(self.history.text)


class Store:
    """Of more responses, or of more bytes, the oldest are dropped."""

    def __init__(self, most_responses: int = MOST_RESPONSES, most_bytes: int = MOST_BYTES) -> None:
        self._most_responses = most_responses
        self._most_bytes = most_bytes
        self._kept: OrderedDict[tuple[Caller, str], Kept] = OrderedDict()
        self._bytes = 0

    def keep(self, caller: Caller, response_id: str, kept: Kept) -> None:
        self.remove(caller, response_id)
        self._kept[caller, response_id] = kept
        self._bytes += kept.size()
        while len(self._kept) > self._most_responses or self._bytes > self._most_bytes:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= oldest.size()

    def find(self, caller: Caller, response_id: str) -> Kept | None:
        return self._kept.get((caller, response_id))

    def remove(self, caller: Caller, response_id: str) -> bool:
        """Whether there was one."""
        kept = self._kept.pop((caller, response_id), None)
        if kept is None:
            return False
        self._bytes -= kept.size()
        return True

    def clear(self) -> None:
        self._kept.clear()
        self._bytes = 0
