"""A running Valkey, and ways to hurt it."""

import os
import signal
from dataclasses import dataclass

from runner.supervisor import Supervisor


@dataclass(frozen=True)
class RunningValkey:
    url: str
    supervisor: Supervisor

    def kill(self) -> None:
        self.send(signal.SIGKILL)

    def send(self, number: signal.Signals) -> None:
        os.kill(self.supervisor.pid_of("valkey"), number)
