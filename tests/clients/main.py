"""`make clients`: seven clients of other people, unmodified, each in an environment of its own, drive a running Hearth."""

import argparse
import json
import subprocess
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import environment
from environment import CannotInstall
from scene import Scene
from table import TABLE, Client

SECONDS = 120


@dataclass(frozen=True, slots=True)
class Result:
    """How it went with a client; `told` is why not, where it is not `passed`."""

    name: str
    version: str
    outcome: str
    steps: tuple[str, ...] = ()
    told: str = ""
    seconds: float = 0.0

    @property
    def line(self) -> str:
        """What is printed."""
        done = "; ".join(self.steps) or "nothing"
        return f"{self.outcome:14} {self.name} {self.version}: {done}" + (f"\n{self.told}" if self.told else "")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make clients", description=__doc__)
    parser.add_argument("--only", default="", help="clients by name, separated by commas")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write how it went here too")
    parser.add_argument("--database-url", help="a PostgreSQL 18 instead of a private one")
    return parser.parse_args()


def main() -> int:
    given = arguments()
    names = tuple(given.only.split(",")) if given.only else tuple(client.name for client in TABLE)
    chosen = [client for client in TABLE if client.name in names]
    results = []
    with ThreadPoolExecutor(2) as pool, Scene.opened(given.database_url) as scene:
        homes = {client: pool.submit(environment.installed, client) for client in chosen}
        for client in chosen:
            results.append(driven(client, homes[client], scene))
            print(results[-1].line, flush=True)
    if given.json:
        given.json.write_text(json.dumps([asdict(result) for result in results], indent=2))
    return 0 if results and all(result.outcome == "passed" for result in results) else 1


def driven(client: Client, home: "Future[Path]", scene: Scene) -> Result:
    """Let the client's driver play its part."""
    try:
        command = environment.command(client, home.result())
    except CannotInstall as fault:
        return Result(client.name, client.version, "not installed", told=str(fault))
    started = time.perf_counter()
    try:
        done = subprocess.run([*command, str(scene.file)], capture_output=True, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return Result(client.name, client.version, "failed", told=f"It took longer than {SECONDS} seconds")
    # Bundled JavaScript tells where it failed in lines of many kilobytes.
    told = "\n".join(line[:500] for line in done.stderr.splitlines()[-30:]) if done.returncode else ""
    outcome = "failed" if done.returncode else "passed"
    steps = tuple(done.stdout.splitlines())
    return Result(client.name, client.version, outcome, steps, told, round(time.perf_counter() - started, 1))


if __name__ == "__main__":
    sys.exit(main())
