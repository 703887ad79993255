"""Installs a client in an environment of its own, below build/clients: together they would change each other's versions."""

import json
import shutil
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Final

from table import Client

ROOT: Final = Path(__file__).parents[2] / "build" / "clients"
DRIVERS: Final = Path(__file__).parent / "drivers"
SECONDS: Final = 240
# Peers and optional parts of fhirclient are for React Native: 180 packages that nothing here loads.
NPM: Final = ("npm", "install", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", "--silent",
              "--omit=optional", "--legacy-peer-deps")  # fmt: skip


class CannotInstall(Exception):
    """The client cannot be had here: no index, no Node.js, or no version for this Python."""


def installed(client: Client, root: Path = ROOT) -> Path:
    """The environment of the client, made when it is not there yet. Raises CannotInstall."""
    home, wanted = root / client.name, json.dumps(asdict(client) | {"python": sys.version})
    mark = home / "installed.json"
    if not mark.exists() or mark.read_text() != wanted:
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        {"PyPI": _from_pypi, "npm": _from_npm}[client.index](client, home)
        mark.write_text(wanted)
    return home


def command(client: Client, home: Path) -> list[str]:
    """What runs the client's driver; Node.js looks for packages beside the script, so it gets a copy there."""
    if client.index == "PyPI":
        return [str(home / "bin" / "python"), str(DRIVERS / client.driver)]
    return ["node", shutil.copy(DRIVERS / client.driver, home)]


def _from_pypi(client: Client, home: Path) -> None:
    _run(sys.executable, "-m", "venv", str(home))
    _run(str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "1",
         f"{client.package}=={client.version}")  # fmt: skip


def _from_npm(client: Client, home: Path) -> None:
    if not (shutil.which("node") and shutil.which("npm")):
        raise CannotInstall("Node.js with npm is not installed")
    (home / "package.json").write_text('{"private": true}')
    _run(*NPM, "--fetch-retries=1", f"--prefix={home}", f"{client.package}@{client.version}")


def _run(*words: str) -> None:
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired as fault:
        raise CannotInstall(f"{words[0]} took longer than {SECONDS} seconds") from fault
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise CannotInstall(said[-1] if said else f"{words[0]} failed")
