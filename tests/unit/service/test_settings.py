"""Settings: from the environment, derived from each other, refused when they do not fit."""

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from service.settings import Settings, unknown_variables


@pytest.fixture(autouse=True)
def _no_variables_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"HEARTH_{name.upper()}", raising=False)


def test_derives_what_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEARTH_HOST", "0.0.0.0")
    monkeypatch.setenv("HEARTH_PORT", "9000")
    monkeypatch.setenv("HEARTH_POOL_MAX", "8")
    monkeypatch.setenv("HEARTH_DATA_DIR", "/srv/hearth")
    settings = Settings()
    assert settings.base_url == "http://127.0.0.1:9000"
    assert settings.tenant_concurrency == 6
    assert settings.audit_spool_dir == Path("/srv/hearth/audit")


def test_writes_an_ipv6_host_as_a_url_does() -> None:
    assert Settings(host="::1").base_url == "http://[::1]:8080"


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEARTH_DATABASE_URL", "")
    assert Settings().database_url is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "0"),
        ("PORT", "http"),
        ("WORKERS", "0"),
        ("BASE_URL", "https://example.org/"),
        ("BASE_URL", "example.org"),
        ("TENANT_CONCURRENCY", "23"),
        ("PAGE_COUNT", "1001"),
        ("SECRET_KEY", "hush"),
        ("LOG_FORMAT", "xml"),
        ("EMBEDDED_SHARED_BUFFERS", "lots"),
    ],
)
def test_refuses_what_cannot_work(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"HEARTH_{name}", value)
    with pytest.raises(ValidationError) as refused:
        Settings()
    assert "hush" not in str(refused.value)


def test_says_nothing_secret_of_itself() -> None:
    settings = Settings(database_url="postgresql://hearth:hush@db/hearth", secret_key="k" * 32)
    assert "hush" not in repr(settings)
    assert "kkkk" not in repr(settings)
    assert settings.secret() == b"k" * 32


def test_makes_one_private_secret_whoever_comes_first(tmp_path: Path) -> None:
    code = "import sys; from service.settings import Settings; print(Settings(data_dir=sys.argv[1]).secret().hex())"
    command = [sys.executable, "-c", code, str(tmp_path / "data")]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    secrets = {process.communicate()[0].strip() for process in processes}
    assert len(secrets) == 1
    assert Settings(data_dir=tmp_path / "data").secret().hex() in secrets
    assert (tmp_path / "data" / "secret").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["secret"]


def test_refuses_a_secret_that_others_may_read(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    settings.secret()
    (tmp_path / "secret").chmod(0o640)
    with pytest.raises(PermissionError, match="chmod 600"):
        settings.secret()


def test_names_variables_that_are_no_setting() -> None:
    environment = {"HEARTH_DATABSE_URL": "x", "HEARTH_PORT": "1", "HEARTH_NONSENSE": "y", "HOME": "/"}
    assert unknown_variables(environment) == {"HEARTH_DATABSE_URL": "HEARTH_DATABASE_URL", "HEARTH_NONSENSE": None}
