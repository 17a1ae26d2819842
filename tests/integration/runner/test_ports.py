import socket
import subprocess
import sys
from pathlib import Path

from runner.ports import FIRST, LAST, Ports

HOLDER = """
import sys, pathlib
from runner.ports import Ports
ports = Ports(20000, 29999, pathlib.Path(sys.argv[1]))
print(*[ports.take() for _ in range(20)], flush=True)
sys.stdin.read()
"""


def test_a_preferred_port_where_somebody_listens_is_left_alone(tmp_path: Path) -> None:
    with Ports(folder=tmp_path) as ports, socket.create_server(("127.0.0.1", 0)) as listener:
        busy = listener.getsockname()[1]
        assert FIRST <= ports.take(busy) <= LAST


def test_a_preferred_port_that_is_listened_to_on_all_addresses_is_left_alone(tmp_path: Path) -> None:
    with Ports(folder=tmp_path) as ports, socket.create_server(("", 0)) as listener:
        assert ports.take(listener.getsockname()[1]) <= LAST


def test_a_taken_port_can_be_listened_to(tmp_path: Path) -> None:
    with Ports(folder=tmp_path) as ports, socket.create_server(("127.0.0.1", ports.take())):
        pass


def test_processes_at_the_same_time_never_take_the_same_and_give_back_when_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    holders = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    taken = [int(port) for holder in holders if holder.stdout for port in holder.stdout.readline().split()]
    assert len(set(taken)) == 60
    for holder in holders:
        holder.kill()
        holder.communicate()
    with Ports(folder=tmp_path) as ports:
        assert ports.take(taken[0]) == taken[0]
