"""Whether the budget policy is good, asked of the budget service's own command before anything starts."""

import asyncio
import os
import sys
from pathlib import Path


class WrongPolicyError(Exception):
    """The policy cannot be used; the text says where it is wrong and why."""


async def refuse_wrong_policy(policy: Path, domain: str) -> None:
    """`domain` is the one that the budget service will serve. Raises WrongPolicyError."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "budgets", "check", os.fspath(policy), "--domain", domain),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,  # a Ctrl-C is the runner's to answer
    )
    complaint = (await child.communicate())[1].decode(errors="replace").strip()
    if child.returncode:
        raise WrongPolicyError(f"The budget policy cannot be used. {complaint}")
