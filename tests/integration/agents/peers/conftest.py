from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from tests.integration.agents.peers.servers import Servers


@pytest.fixture
async def servers() -> AsyncIterator[Servers]:
    async with AsyncExitStack() as stack:
        yield Servers(stack)
