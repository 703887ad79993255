"""`hearth serve` as a process: what it prints works when pasted, SIGTERM cuts no request, nothing stays behind."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

HEARTH = (sys.executable, "-c", "from api.cli import main; main()")


@pytest.fixture(scope="module")
def data_dir() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="hearth-serve-"))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path)


class Served:
    """A server of the data directory on a free port, up to its last line of greeting."""

    def __init__(self, data_dir: Path, *words: str) -> None:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            self.port = int(listener.getsockname()[1])
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HEARTH_")}
        self.process = subprocess.Popen(
            [*HEARTH, "serve", "--demo", "--port", str(self.port), "--data-dir", str(data_dir), *words],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[str] = []
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            if line.startswith("Ctrl-C"):
                return
        raise AssertionError("".join(self.lines))

    def end(self, with_signal: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """The exit code, and all that was printed since the greeting."""
        self.process.send_signal(with_signal)
        printed, _ = self.process.communicate(timeout=60)
        return self.process.returncode, printed


def is_stopped(data_dir: Path) -> bool:
    return not (data_dir / "postgres" / "data" / "postmaster.pid").exists()


def test_the_printed_line_reads_the_worksheets(data_dir: Path) -> None:
    served = Served(data_dir)
    try:
        (line,) = (line for line in served.lines if "TOKEN=" in line)
        printed = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=True).stdout
        bundle = json.loads(printed)
        assert bundle["resourceType"] == "Bundle"
        assert {entry["resource"]["resourceType"] for entry in bundle["entry"]} == {"Questionnaire"}
    finally:
        code, printed = served.end()
    assert code == 0
    assert all(json.loads(line)["level"] == "info" for line in printed.splitlines() if line)
    assert is_stopped(data_dir)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_request_under_way_is_answered_after_sigterm(data_dir: Path, workers: str) -> None:
    served = Served(data_dir, "--workers", workers)
    body = b"grant_type=password"
    head = b"POST /oauth/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    try:
        with socket.create_connection(("127.0.0.1", served.port), timeout=30) as connection:
            connection.sendall(head + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body))
            assert connection.recv(64).startswith(b"HTTP/1.1 100")  # the application reads the body: it is under way
            served.process.send_signal(signal.SIGTERM)
            with pytest.raises(subprocess.TimeoutExpired):
                served.process.wait(1)
            connection.sendall(body)
            assert b" 400 " in connection.recv(4096)
    finally:
        code, _ = served.end()
    assert code == 0
    assert is_stopped(data_dir)


def test_ctrl_c_ends_it_as_well(data_dir: Path) -> None:
    assert Served(data_dir).end(signal.SIGINT)[0] == 0
    assert is_stopped(data_dir)
