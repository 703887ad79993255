"""The documents lead where they say, name what there is, and what they tell a newcomer to type works as printed."""

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import asyncpg
import httpx
import pytest
import typer

from api.cli import app
from api.worker import document
from schemas import library
from schemas.registry import REGISTRY
from service.embedded import Cluster
from service.interactions.routes import TABLE

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
PROSE = "\n".join(page.read_text() for page in PAGES)
API = (ROOT / "docs" / "fhir-api.md").read_text()
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
FENCED = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
SEARCH = (ROOT / "docs" / "search.md").read_text()
NAMES = {"T": "[type]", "I": "[id]", "V": "[version]"}


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", FENCED.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_between_files_leads_somewhere(page: Path) -> None:
    for target in LINK.findall(FENCED.sub("", page.read_text())):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), target
        assert not anchor or anchor in anchors(found), target


def commands(group: typer.Typer, before: str) -> Iterator[str]:
    for command in group.registered_commands:
        assert command.callback is not None
        yield f"{before} {command.name or command.callback.__name__}"
    for inner in group.registered_groups:
        assert inner.typer_instance is not None
        yield from commands(inner.typer_instance, f"{before} {inner.name}")


@pytest.mark.parametrize("command", list(commands(app, "hearth")))
def test_every_command_is_in_the_documents(command: str) -> None:
    assert f"`{command}" in PROSE


@pytest.mark.parametrize("row", TABLE, ids=" ".join)
def test_every_row_of_the_route_table_is_in_the_documents(row: tuple[str, str, str]) -> None:
    methods, path, interaction = row
    address = "/".join(NAMES.get(part, part) for part in path.split("/"))
    for method in methods.split():
        wanted = f"{method} {address or '[base]'}{'?' if interaction == 'conditional' else ''}"
        assert re.search(rf"`{re.escape(wanted)}[`?]" if "?" not in wanted else rf"`{re.escape(wanted)}", API), wanted


def test_every_other_address_is_in_the_documents() -> None:
    for path in document()["paths"]:
        if not path.startswith(("/fhir", "/t/")):
            assert f"{path}`" in PROSE, path


def test_the_types_held_are_listed() -> None:
    listed = API.partition("## Types")[2].strip().rstrip(".").replace("\n", " ").split(", ")
    assert listed == sorted(each.name for each in REGISTRY.types.values() if each.storable)


def test_search_parameters_of_our_own_are_listed() -> None:
    own = {
        (each.name, param.code)
        for each in REGISTRY.types.values()
        for param in each.search.values()
        if param.url.startswith(library.BASE)
    }
    rows = re.findall(r"^\| (\w+) \| ([^|]+) \|", SEARCH.partition("of Hearth's own")[2], re.MULTILINE)
    assert {(name, code) for name, codes in rows for code in re.findall(r"`([^`]+)`", codes)} == own


class Step(NamedTuple):
    """A block of the guide to be run, and the lines that are to be printed, where … stands for anything."""

    script: str
    expected: tuple[str, ...]


def steps(page: Path) -> list[Step]:
    block = re.compile(r"^```sh run\n(.*?)^```\n(?:```\w* output\n(.*?)^```\n)?", re.DOTALL | re.MULTILINE)
    return [Step(script, tuple(printed.splitlines())) for script, printed in block.findall(page.read_text())]


@pytest.fixture
async def database(cluster: Cluster, database_url: str) -> str:
    """A database of the guide's own: the one of the tests, as it was before anything was in it."""
    connection = await asyncpg.connect(database_url)
    await connection.execute("create database hearth_docs template hearth_template")
    await connection.close()
    return cluster.dsn("hearth_docs")


@pytest.fixture
def served(database: str, tmp_path: Path) -> Iterator[dict[str, str]]:
    """A server as a newcomer starts it; what the guide lets them set."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = str(listener.getsockname()[1])
    hearth = (sys.executable, "-c", "from api.cli import main; main()")
    options = ("--demo", "--port", port, "--data-dir", str(tmp_path), "--database-url", database)
    process = subprocess.Popen([*hearth, "serve", *options], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    printed = ""
    for line in process.stdout:
        printed += line
        if line.startswith("Ctrl-C"):
            break
    try:
        found = dict(re.findall(r"(FHIR API|client_id|client_secret)  +(\S+)", printed))
        base, client = found["FHIR API"].removesuffix("/fhir"), (found["client_id"], found["client_secret"])
        answer = httpx.post(f"{base}/oauth/token", data={"grant_type": "client_credentials"}, auth=client)
        token = answer.json()["access_token"]
        yield {"HEARTH": base, "CLIENT_ID": client[0], "CLIENT_SECRET": client[1], "TOKEN": token}
    finally:
        process.terminate()
        process.communicate(timeout=60)


def test_the_guide_and_the_readme_work_as_they_are_written(served: dict[str, str]) -> None:
    found = [*steps(ROOT / "docs" / "getting-started.md"), *steps(ROOT / "README.md")]
    assert len(found) > 8
    mark = "\n-- the end of a step --\n"
    script = "set -eu\n" + "".join(f"{step.script}\nprintf '%s' '{mark}'\n" for step in found)
    done = subprocess.run(["sh", "-c", script], env={"PATH": "/usr/bin:/bin", **served}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for step, printed in zip(found, done.stdout.split(mark), strict=False):
        place = 0
        for line in step.expected:
            match = re.compile(".*?".join(map(re.escape, line.strip().split("…")))).search(printed, place)
            assert match is not None, f"{line}\nis not in\n{printed[place:]}"
            place = match.end()
