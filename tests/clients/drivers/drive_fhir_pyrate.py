"""FHIR-PYrate: searches as tables of pandas. https://github.com/UMEssen/FHIR-PYrate"""

import json
import sys
from pathlib import Path

import requests
from fhir_pyrate import Pirate

SCENE = json.loads(Path(sys.argv[1]).read_text())
CLIENT = (SCENE["backend"]["client_id"], SCENE["backend"]["client_secret"])

session = requests.Session()
found = session.get(f"{SCENE['base']}/.well-known/smart-configuration").json()
form = {"grant_type": "client_credentials", "scope": "system/Patient.rs system/Observation.rs"}
token = requests.post(found["token_endpoint"], data=form, auth=CLIENT, timeout=30).json()["access_token"]
session.headers["Authorization"] = f"Bearer {token}"
pirate = Pirate(SCENE["base"], auth=session, num_processes=1)

mine = {"subject": f"Patient/{SCENE['patient']}", "_count": 2, "_sort": "_id"}
counted = {"subject": mine["subject"], "_summary": "count"}
assert pirate.get_bundle_total("Observation", counted) == SCENE["observations"]
print("total")

table = pirate.steal_bundles_to_dataframe(
    "Observation", mine, fhir_paths=[("id", "id"), ("score", "valueInteger"), ("day", "effectiveDateTime")]
)
assert len(table) == SCENE["observations"], table
assert sorted(table["score"]) == [10 + number for number in range(SCENE["observations"])], table
print("search with paging to a table, sorted by _id")

people = pirate.steal_bundles_to_dataframe("Patient", {"_sort": "_id"}, fhir_paths=["id"])
scores = pirate.trade_rows_for_dataframe(
    people, "Observation", df_constraints={"subject": "id"}, fhir_paths=["id"], with_ref=True
)
assert len(scores) > SCENE["observations"], scores
print("a search for each row of a table")

days = pirate.sail_through_search_space_to_dataframe(
    "Observation", "date", "2026-10-01", "2026-10-31", fhir_paths=["id"], request_params={"_count": 3}
)
assert len(days) >= SCENE["observations"], days
print("a search by spans of time")

requests.post(found["revocation_endpoint"], data={"token": token}, auth=CLIENT, timeout=30).raise_for_status()
assert pirate.get_bundle_total("Observation", counted) is None
print("nothing after revocation")
