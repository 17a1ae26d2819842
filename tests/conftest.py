import os

import pytest

# gRPC's fork handlers abort a child that is started while the test process has a channel; no child of a test uses gRPC of
# its parent's. Read when grpc is imported, so it stands before everything else.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"
