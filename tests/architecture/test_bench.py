"""`make bench` works: every workload, on a small data set, for a moment. Its figures mean nothing here."""

import json
import subprocess
import sys
from pathlib import Path

BENCH = Path(__file__).parents[1] / "bench"


def test_every_workload_runs_without_an_error(tmp_path: Path) -> None:
    written = tmp_path / "figures.json"
    command = [sys.executable, str(BENCH / "main.py"), "--sizes", "200", "--seconds", "0.3", "--json", str(written)]

    done = subprocess.run(command, capture_output=True, text=True, timeout=180)

    assert done.returncode == 0, done.stdout + done.stderr
    results = json.loads(written.read_text())["results"]
    assert len(results) == 23
    assert all(each["requests"] > 0 for each in results)
