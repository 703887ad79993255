"""The hearth command as a person types it, on a data directory of its own."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from joserfc.jwk import ECKey

HEARTH = (sys.executable, "-c", "from api.cli import main; main()")


@pytest.fixture(scope="module")
def data_dir() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="hearth-cli-"))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path)


def hearth(data_dir: Path, *words: str, code: int = 0, **variables: str) -> str:
    """What the command prints; of a command that is to fail, what it says of it."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HEARTH_")}
    done = subprocess.run(
        [*HEARTH, *words],
        env=environment | {"HEARTH_DATA_DIR": str(data_dir)} | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr if code else done.stdout


@pytest.fixture(scope="module")
def migrated(data_dir: Path) -> Path:
    assert "run: hearth migrate" in hearth(data_dir, "clients", "list", code=1)
    assert hearth(data_dir, "migrate").startswith("The database is at ")
    return data_dir


def test_registers_lists_rotates_and_disables_a_client(migrated: Path) -> None:
    made = json.loads(hearth(migrated, "clients", "add", "--name", "App", "--scope", "system/*.cruds", "--json"))
    assert set(made) == {"client_id", "client_secret"}
    rotated = json.loads(hearth(migrated, "clients", "rotate", made["client_id"], "--json"))
    assert rotated["client_id"] == made["client_id"]
    assert rotated["client_secret"] != made["client_secret"]
    hearth(migrated, "clients", "disable", made["client_id"])
    listed = hearth(migrated, "clients", "list")
    assert made["client_id"] in listed
    assert "disabled" in listed
    assert made["client_secret"] not in listed
    assert rotated["client_secret"] not in listed


def test_registers_apps_for_people_and_clients_with_keys(migrated: Path) -> None:
    app = ("clients", "add", "--name", "App", "--public", "--scope", "openid patient/Task.rs", "--json")
    made = json.loads(hearth(migrated, *app, "--redirect-uri", "https://app.example.org/done", "--dpop"))
    assert set(made) == {"client_id"}
    assert "redirect_uris" in hearth(migrated, *app, code=1)
    keys, public = migrated / "jwks.json", ECKey.generate_key("P-384", {"kid": "a"})
    keys.write_text(json.dumps({"keys": [public.as_dict(private=False)]}))
    signing = ("clients", "add", "--name", "Backend", "--scope", "system/*.rs", "--json")
    signer = json.loads(hearth(migrated, *signing, "--jwks", str(keys), "--clearance", "HIV"))
    assert set(signer) == {"client_id"}
    assert "has no secret" in hearth(migrated, "clients", "rotate", signer["client_id"], code=1)
    assert signer["client_id"] in hearth(migrated, "clients", "rotate", signer["client_id"], "--jwks", str(keys))
    assert "in place" in hearth(migrated, "clients", "rotate", made["client_id"], "--jwks", str(keys), code=1)
    assert "https" in hearth(migrated, *signing, "--jwks-uri", "http://127.0.0.1:9/jwks", code=1)
    hearth(migrated, *signing, "--jwks-uri", "http://127.0.0.1:9/jwks", HEARTH_ALLOW_LOOPBACK_JWKS="1")
    listed = {one["client_id"]: one["by"] for one in json.loads(hearth(migrated, "clients", "list", "--json"))}
    assert (listed[made["client_id"]], listed[signer["client_id"]]) == ("none", "private_key_jwt")


def test_invites_others_to_register_clients(migrated: Path) -> None:
    assert (
        len(json.loads(hearth(migrated, "clients", "invite", "--scope", "openid patient/*.rs", "--json"))["token"]) > 40
    )
    assert "is no scope" in hearth(migrated, "clients", "invite", "--scope", "everything", code=1)


def test_makes_lists_and_rotates_the_signing_keys(migrated: Path) -> None:
    (first,) = json.loads(hearth(migrated, "keys", "list", "--json"))
    assert (first["algorithm"], first["state"]) == ("RS256", "signs")
    kid = hearth(migrated, "keys", "rotate").split()[1]
    new, old = json.loads(hearth(migrated, "keys", "list", "--json"))
    assert (new["kid"], new["state"]) == (kid, "signs")
    assert old["kid"] == first["kid"]
    assert old["state"].startswith("published until ")


def test_says_that_the_secret_is_another_than_before(migrated: Path) -> None:
    said = hearth(migrated, "migrate", code=1, HEARTH_SECRET_KEY="another one, of 32 characters or more")
    assert said.startswith("hearth: The server's secret is not the one")
    assert "HEARTH_SECRET_KEY" in said


def test_makes_a_tenant_with_clients_of_its_own(migrated: Path) -> None:
    assert "/t/clinic-a/fhir" in hearth(migrated, "tenants", "add", "clinic-a")
    hearth(migrated, "clients", "add", "--name", "Theirs", "--scope", "system/Task.rs", "--tenant", "clinic-a")
    assert [
        one["name"] for one in json.loads(hearth(migrated, "clients", "list", "--tenant", "clinic-a", "--json"))
    ] == ["Theirs"]
    assert {one["name"] for one in json.loads(hearth(migrated, "tenants", "list", "--json"))} == {"default", "clinic-a"}
    assert "already" in hearth(migrated, "tenants", "add", "clinic-a", code=1)
    assert "no tenant" in hearth(migrated, "clients", "list", "--tenant", "nowhere", code=1)


def test_says_in_one_line_what_was_wrong(migrated: Path) -> None:
    said = hearth(migrated, "clients", "add", "--name", "App", "--scope", "everything", code=1)
    assert said.startswith("hearth: 'everything' is not a scope")
    assert "HEARTH_PORT" in hearth(migrated, "doctor", code=2, HEARTH_PORT="eighty")
    assert hearth(migrated, "migrate", "--database-url", "postgresql://nobody@127.0.0.1:1/x", code=1).count("\n") == 1


def test_the_doctor_finds_a_fresh_installation_well_and_a_misspelt_variable(migrated: Path) -> None:
    assert "WRONG" not in hearth(migrated, "doctor")
    hearth(migrated, "doctor", code=1, HEARTH_DATABSE_URL="x")


def test_the_demo_asks_for_a_client_when_there_is_none(migrated: Path) -> None:
    assert "--client-id" in hearth(migrated, "demo", code=1)


def test_leaves_no_server_behind(migrated: Path) -> None:
    hearth(migrated, "tenants", "list")
    assert not (migrated / "postgres" / "data" / "postmaster.pid").exists()


def test_prints_the_same_openapi_document_whatever_the_settings(tmp_path: Path) -> None:
    document = hearth(tmp_path, "openapi", HEARTH_BASE_URL="https://example.org")
    assert json.loads(document)["openapi"].startswith("3.1")
    assert not list(tmp_path.iterdir())
    assert document == hearth(tmp_path, "openapi")


def test_shows_and_changes_what_a_tenant_decides_about_homework(migrated: Path) -> None:
    hearth(migrated, "tenants", "add", "clinic")
    shown = json.loads(hearth(migrated, "policy", "show", "--tenant", "clinic", "--json"))
    assert shown["horizon_days"] == 14
    hearth(migrated, "policy", "set", "horizon_days", "21", "--tenant", "clinic")
    hearth(migrated, "policy", "set", "zone", "Europe/Amsterdam", "--tenant", "clinic")
    hearth(migrated, "policy", "set", "crisis", '{"en": "Ring the clinic, day or night."}', "--tenant", "clinic")
    changed = json.loads(hearth(migrated, "policy", "show", "--tenant", "clinic", "--json"))
    different = {name: value for name, value in changed.items() if value != shown[name]}
    assert different == {
        "horizon_days": 21,
        "zone": "Europe/Amsterdam",
        "crisis": {"en": "Ring the clinic, day or night."},
    }
    assert json.loads(hearth(migrated, "policy", "show", "--json"))["horizon_days"] == 14
    assert "horizon_days" in hearth(migrated, "policy", "set", "horizon_day", "7", code=1)
    assert "int" in hearth(migrated, "policy", "set", "horizon_days", "soon", code=1)
    assert "zone" in hearth(migrated, "policy", "set", "zone", "Atlantis", code=1)
    assert "There is no tenant" in hearth(migrated, "policy", "set", "horizon_days", "7", "--tenant", "x", code=1)
