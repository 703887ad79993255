"""The documents lead where they say, name what there is, and what they tell a newcomer to type works as printed."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
import typer

from api.cli import app
from api.worker import document
from schemas import library
from schemas.registry import REGISTRY
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
    """A block of a guide to be run, and the lines that are to be printed, where … stands for anything."""

    script: str
    expected: tuple[str, ...]


BY_HAND = 'BACK=$(by-hand "$HEARTH/oauth/authorize?$QUERY" "$BACK_TO")\n'
"""What a reader does in a browser: sign in as Robin, allow everything, and copy the address that comes then."""


def steps(page: Path) -> list[Step]:
    block = re.compile(r"^```sh (run|by hand)\n(.*?)^```\n(?:```\w* output\n(.*?)^```\n)?", re.DOTALL | re.MULTILINE)
    return [
        Step(script if kind == "run" else BY_HAND, tuple(printed.splitlines()))
        for kind, script, printed in block.findall(page.read_text())
    ]


@pytest.fixture(scope="module")
async def database(new_database: Callable[[], Awaitable[str]]) -> str:
    """A database of the guides' own."""
    return await new_database()


@pytest.fixture(scope="module")
def served(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A server as a newcomer starts it; what the guides let them set, and where `hearth` and `by-hand` are."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = str(listener.getsockname()[1])
    home, programs = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("bin")
    command(programs / "hearth", "from api.cli import main; main()")
    command(
        programs / "by-hand",
        "import sys; from pathlib import Path; from service.demo import browser, cast; "
        f"robin = browser.Browser(cast.load(Path({str(home)!r})).people.robin.answers); "
        "print(robin.until('by hand', *sys.argv[1:]))",
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HEARTH_")}
    environment |= {"HEARTH_DATA_DIR": str(home), "HEARTH_DATABASE_URL": database}
    process = subprocess.Popen(
        [programs / "hearth", "serve", "--demo", "--port", port], env=environment, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    printed = ""
    for line in process.stdout:
        printed += line
        if line.startswith("Ctrl-C"):
            break
    try:
        found = dict(re.findall(r"(FHIR API|client_id|client_secret)  +(\S+)", printed))
        base, client = found["FHIR API"].removesuffix("/fhir"), (found["client_id"], found["client_secret"])
        told = {"HEARTH": base, "CLIENT_ID": client[0], "CLIENT_SECRET": client[1]}
        kept = {name: environment[name] for name in ("HEARTH_DATA_DIR", "HEARTH_DATABASE_URL")}
        yield told | kept | {"PATH": f"{programs}:/usr/bin:/bin"}
    finally:
        process.terminate()
        process.communicate(timeout=60)


def command(file: Path, program: str) -> None:
    file.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{program}" "$@"\n')
    file.chmod(0o755)


@pytest.mark.parametrize(
    "pages",
    [
        ("docs/getting-started.md", "README.md"),
        ("docs/connect-your-app.md",),
        ("docs/ehr-administrator.md",),
        ("docs/homework-api.md",),
    ],
    ids=" ".join,
)
def test_a_guide_works_as_it_is_written(served: dict[str, str], tmp_path: Path, pages: tuple[str, ...]) -> None:
    found = [step for page in pages for step in steps(ROOT / page)]
    assert len(found) > 6
    client = (served["CLIENT_ID"], served["CLIENT_SECRET"])
    answer = httpx.post(f"{served['HEARTH']}/oauth/token", data={"grant_type": "client_credentials"}, auth=client)
    mark = "\n-- the end of a step --\n"
    script = "set -eu\n" + "".join(f"{step.script}\nprintf '%s' '{mark}'\n" for step in found)

    done = subprocess.run(
        ["sh", "-c", script],
        env=served | {"TOKEN": answer.json()["access_token"]},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr
    for step, printed in zip(found, done.stdout.split(mark), strict=False):
        place = 0
        for line in step.expected:
            match = re.compile(".*?".join(map(re.escape, line.strip().split("…")))).search(printed, place)
            assert match is not None, f"{line}\nis not in\n{printed[place:]}"
            place = match.end()
