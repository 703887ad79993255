"""What can be tested of docker/ without running it: syntax, paths, settings and the same entry point."""

import ast
import json
import re
import tomllib
from pathlib import Path

import yaml

from api.server import DRAIN_SECONDS
from service.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "docker" / "Dockerfile").read_text()
COMPOSE = yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text())
TLS = yaml.safe_load((ROOT / "docker" / "compose.tls.yaml").read_text())
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
VARIABLES = {PREFIX + name.upper() for name in Settings.model_fields}


def instruction(name: str) -> list[str]:
    """What follows each instruction of that name in the Dockerfile."""
    joined = DOCKERFILE.replace("\\\n", " ")
    return [line.removeprefix(name).strip() for line in joined.splitlines() if line.startswith(f"{name} ")]


def test_the_image_runs_the_console_command_as_an_unprivileged_account() -> None:
    (entry,) = instruction("ENTRYPOINT")
    assert json.loads(entry) == list(PROJECT["project"]["scripts"])
    assert [json.loads(command) for command in instruction("CMD")] == [["serve"]]
    assert instruction("USER") == ["hearth"]
    assert instruction("STOPSIGNAL") == ["SIGTERM"]


def test_the_image_is_built_from_files_that_exist() -> None:
    for line in instruction("COPY"):
        sources = line.split()[:-1]
        assert sources[0].startswith("--from=") or all((ROOT / source).exists() for source in sources)
    assert all(re.fullmatch(r"python:3\.\d+-slim( AS build)?", image) for image in instruction("FROM"))


def test_the_context_holds_what_the_wheel_is_built_from() -> None:
    sent = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    wheel = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {*wheel["packages"], *wheel["force-include"], *PROJECT["project"]["license-files"]}
    assert needed | {PROJECT["project"]["readme"], "pyproject.toml", "requirements.lock"} == sent


def test_the_healthcheck_is_python_that_asks_the_server() -> None:
    (check,) = instruction("HEALTHCHECK")
    _python, _option, code = json.loads(check[check.index("[") :])
    ast.parse(code)
    assert "/health/live" in code


def test_the_compose_file_runs_this_image_on_postgresql_18() -> None:
    services = COMPOSE["services"]
    assert services["database"]["image"] == "postgres:18"
    build = services["hearth"]["build"]
    context = (ROOT / "docker" / build["context"]).resolve()
    assert context == ROOT
    assert (context / build["dockerfile"]).is_file()
    assert services["hearth"]["depends_on"]["database"]["condition"] == "service_healthy"
    assert int(services["hearth"]["stop_grace_period"].removesuffix("s")) > DRAIN_SECONDS
    volumes = [volume.partition(":")[0] for service in services.values() for volume in service["volumes"]]
    assert sorted(volumes) == sorted(COMPOSE["volumes"])


def test_only_settings_that_exist_are_set() -> None:
    files = [COMPOSE["services"]["hearth"]["environment"], TLS["services"]["hearth"]["environment"]]
    assert {*files[0], *files[1], *re.findall(r"(HEARTH_\w+)=", DOCKERFILE)} <= VARIABLES


def test_the_example_of_tls_leads_to_the_service() -> None:
    proxy = TLS["services"]["proxy"]
    mounted = [volume.partition(":")[0] for volume in proxy["volumes"]]
    assert (ROOT / "docker" / mounted[0]).is_file()
    assert set(mounted[1:]) == set(TLS["volumes"])
    assert proxy["depends_on"] == ["hearth"]
    assert "reverse_proxy hearth:8080" in (ROOT / "docker" / "Caddyfile").read_text()
