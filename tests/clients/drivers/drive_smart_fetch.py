"""SMART Fetch (Cumulus): a crawl with a key of its own, ES384, and scopes of SMART v1. https://docs.smarthealthit.org/cumulus/fetch/

Its bulk export waits for the server's: $export is not in this release.
"""

import gzip
import json
import subprocess
import sys
import tempfile
from pathlib import Path

SCENE = json.loads(Path(sys.argv[1]).read_text())
COMMAND = str(Path(sys.executable).parent / "smart-fetch")

with tempfile.TemporaryDirectory() as directory:
    key, out = Path(directory) / "key.jwks", Path(directory) / "out"
    key.write_text(json.dumps(SCENE["es384"]["jwks"]))
    out.mkdir()
    done = subprocess.run(
        [COMMAND, "export", "--export-mode", "crawl", "--fhir-url", SCENE["base"], "--smart-key", str(key),
         "--smart-client-id", SCENE["es384"]["client_id"], "--id-list", SCENE["patient"],
         "--type", "Patient,Observation,Encounter", "--hydration-tasks", "none", str(out)],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [
        json.loads(line)
        for file in out.rglob("*.ndjson.gz")
        for line in gzip.decompress(file.read_bytes()).splitlines()
    ]

print("private_key_jwt with ES384, scopes of SMART v1 narrowed")
patients = {row["id"] for row in rows if row["resourceType"] == "Patient"}
observations = {row["id"] for row in rows if row["resourceType"] == "Observation"}
assert patients == {SCENE["patient"]}, patients
assert len(observations) == SCENE["observations"], observations
print("a crawl by patient (bulk export comes with the server's)")
