from collections.abc import AsyncIterator

import pytest

from tests.integration.gateway.alone.gateway import Gateway, gateway_alone


@pytest.fixture(scope="package")
async def shared() -> AsyncIterator[Gateway]:
    async with gateway_alone(GATEWAY_DIMENSIONS="cost_center") as gateway:
        yield gateway


@pytest.fixture
async def alone(shared: Gateway) -> Gateway:
    await shared.forget()
    return shared
