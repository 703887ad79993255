"""The installed wheel in a fresh environment: it migrates, serves, plays the demo and ends; run by `make check`.

Nothing of the checkout is importable there. The dependencies are those of the environment that runs this.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
import urllib.request
import venv
from pathlib import Path

ROOT = Path(__file__).parents[2]


def main() -> None:
    work = Path(tempfile.mkdtemp(prefix="hearth-wheel-"))
    work.chmod(0o711)  # root's PostgreSQL runs as another account and must get in
    try:
        hearth = install(build(work), work / "venv")
        journey(hearth, work / "data")
    finally:
        shutil.rmtree(work)
    print("The installed wheel migrates, serves, plays the demo and ends.")


def run(*command: object, **options: object) -> str:
    words = [str(word) for word in command]
    done = subprocess.run(words, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    if done.returncode:
        sys.exit(f"{' '.join(words)} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout


def build(work: Path) -> Path:
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", work / "dist", ROOT)
    (wheel,) = (work / "dist").glob("*.whl")
    return wheel


def install(wheel: Path, environment: Path) -> Path:
    venv.create(environment)
    python = environment / "bin" / "python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel)
    # A line that is a directory is put on the path without its own .pth files: not the editable install of the checkout.
    site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    (site / "dependencies.pth").write_text(f"{sysconfig.get_path('purelib')}\n{sysconfig.get_path('platlib')}\n")
    where = run(python, "-c", "import api, schemas, service; print(api.__file__, service.__file__)", cwd=environment)
    if str(ROOT) in where:
        sys.exit(f"The checkout is imported, not the wheel: {where}")
    return environment / "bin" / "hearth"


def journey(hearth: Path, data_dir: Path) -> None:
    variables = {name: value for name, value in os.environ.items() if not name.startswith("HEARTH_")}
    variables |= {"HEARTH_DATA_DIR": str(data_dir), "HEARTH_PORT": str(free_port())}
    options = {"env": variables, "cwd": hearth.parent}
    run(hearth, "migrate", **options)
    with (hearth.parent / "log").open("w") as log:
        server = subprocess.Popen([hearth, "serve", "--demo"], stdout=log, stderr=log, **options)
    try:
        await_ready(f"http://127.0.0.1:{variables['HEARTH_PORT']}/health/ready", server)
        print(run(hearth, "demo", **options))
        run(hearth, "doctor", **options)
        json.loads(run(hearth, "openapi", **options))
    except BaseException:
        print((hearth.parent / "log").read_text())
        raise
    finally:
        server.send_signal(signal.SIGTERM)
        code = server.wait(60)
    if code:
        sys.exit(f"After SIGTERM the server ended with {code}")
    if (data_dir / "postgres" / "data" / "postmaster.pid").exists():
        sys.exit("The embedded PostgreSQL was left running")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def await_ready(url: str, server: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        if server.poll() is not None:
            sys.exit(f"The server ended with {server.returncode} before it was ready")
        try:
            urllib.request.urlopen(url, timeout=5).close()  # noqa: S310 - a literal http URL
            return
        except OSError:
            time.sleep(0.1)
    sys.exit("The server was not ready after a minute")


if __name__ == "__main__":
    main()
