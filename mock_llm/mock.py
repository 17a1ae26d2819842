"""What the routes of the API share, and what each of them does the same way. A route is an `Endpoint` around a function:

def embed(call: Call) -> ASGIApp:
    asked = read_embedding_request(call.body)  # its ApiErrors are answered, and entered into the ledger, as refusals
    turn = call.begin(asked.model, asked.text)  # from here on the call counts; raises ApiError for headers and model
    usage = turn.usage(asked.prompt_tokens, 0)
    return answer_whole(turn, usage, Forms(...))  # or answer_stream: with the turn's fault, its delays, its entry

embeddings = Endpoint(mock, "/v1/embeddings", embed)
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from starlette.types import Receive

from mock_llm.config import Settings
from mock_llm.draws import Draw, Draws
from mock_llm.errors import ApiError
from mock_llm.faults import HEADER, Fault, Faults, ordered_fault
from mock_llm.latency import Pace, Sleep
from mock_llm.ledger.journal import ANSWERED, GONE, REFUSED, Entry
from mock_llm.ledger.ledger import Account, Ledger, caller_of
from mock_llm.models import Models, Served
from mock_llm.request_ids import request_id_of
from mock_llm.usage import Asked, Usage, asked_usage


class Mock:
    """The state of one mock. `sleep` and `clock` are given so that tests need not wait."""

    def __init__(self, settings: Settings, sleep: Sleep = asyncio.sleep, clock: Callable[[], float] = time.time) -> None:
        """Raises ModelsError where the list of models cannot be used."""
        self.settings = settings
        self.sleep = sleep
        self.clock = clock
        self.models = Models(settings.models, settings.tokens, settings.latency)
        listed = () if settings.models is None else self.models.names
        self.ledger = Ledger(settings.journal, listed)
        self.draws = Draws(settings.seed)
        self.faults = Faults(settings.fault_rates or {}, settings.seed)
        self.started = int(clock())
        self._forgetting: list[Callable[[], None]] = []

    def on_reset(self, forget: Callable[[], None]) -> None:
        """Call it too at a reset."""
        self._forgetting.append(forget)

    def reset(self) -> None:
        """As it was at the start: with a seed, what follows is the first run again."""
        self.ledger.clear()
        self.faults.clear()
        for forget in self._forgetting:
            forget()


class Call:
    """One request: who sent it, and what became of it. Every call is ended once."""

    __slots__ = ("account", "body", "endpoint", "fault", "headers", "mock", "model", "receive", "request_id")

    def __init__(self, mock: Mock, endpoint: str, headers: Mapping[bytes, bytes], receive: Receive) -> None:
        self.mock = mock
        self.endpoint = endpoint
        self.headers = headers
        self.receive = receive
        self.body = b""
        self.account: Account = mock.ledger.account(caller_of(headers))
        self.request_id = request_id_of(headers)
        self.model = ""
        self.fault: Fault | None = None

    def begin(self, model: str | None, text: str, choices: int = 1, fixed: bytes | None = None) -> "Turn":
        """To be called once the request is understood: what follows counts for the seed.

        `text` is what may ask for a fault. `fixed` stands for a request whose answer is to be the same each time.
        Raises ApiError for a model that is not served, and for wrong headers of the mock's own.
        """
        mock = self.mock
        self.model = model = mock.models.default if model is None else model
        served = mock.models.find(model)
        asked = asked_usage(self.headers)
        header = self.headers.get(HEADER)
        order = ordered_fault(None if header is None else header.decode("latin-1"), text)
        draw = mock.draws.next(self.account, served.tokens, choices, fixed)
        self.fault = mock.faults.next(order, self.account)
        return Turn(self, model, draw, self.fault, served, asked)

    def end(self, outcome: str, usage: Usage | None = None, code: str = "") -> None:
        """Enter what became of it. `usage` is what the caller was told, if it was told any."""
        team, user = self.account.caller
        request_id = self.request_id.decode("latin-1")
        self.mock.ledger.enter(
            Entry(self.mock.clock(), team, user, request_id, self.endpoint, self.model, outcome, code, usage)
        )

    def answered(self, usage: Usage | None) -> None:
        """As it should be, or with its fault. `usage` is what the caller was told, None where it was told none."""
        self.end(ANSWERED if self.fault is None else self.fault, usage)

    def left(self) -> None:
        """The client has, before it was told any usage."""
        self.end(self.fault or GONE)

    def refused(self, error: ApiError) -> None:
        """A refusal that a fault asked for has the fault's name."""
        self.end(self.fault or REFUSED, code=error.code or str(error.status))


class Turn(NamedTuple):
    """A call that is to be answered: by chance, by its fault, at its pace."""

    call: Call
    model: str
    """As the answer names it."""
    draw: Draw
    fault: Fault | None
    served: Served
    asked: Asked

    @property
    def is_exact(self) -> bool:
        """Whether the completion's tokens are fixed, by a header or by the model, whatever it says."""
        return self.asked.completion_tokens is not None or self.served.tokens.is_fixed

    def tokens(self, choice: int) -> int:
        """What a choice of the answer claims to be. Those that a header asks for are shared among all choices."""
        total = self.asked.completion_tokens
        if total is None:
            return self.draw.choices[choice].tokens
        share, rest = divmod(total, len(self.draw.choices))
        return share + (choice < rest)

    def usage(self, prompt_tokens: int, completion_tokens: int) -> Usage:
        """With the prompt's tokens as they were counted, unless others are asked for. The cached are never more."""
        served, asked = self.served, self.asked
        prompt = prompt_tokens if served.prompt_tokens is None else served.prompt_tokens
        prompt = prompt if asked.prompt_tokens is None else asked.prompt_tokens
        cached = served.cached_tokens if asked.cached_tokens is None else asked.cached_tokens
        return Usage(prompt, completion_tokens, min(cached, prompt))

    def pace(self) -> Pace | None:
        """None where the answer is to come at once."""
        return Pace(self.served.latency, self.draw.chance) if any(self.served.latency) else None
