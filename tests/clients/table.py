"""The clients of other people that drive Hearth, unmodified, each at one version.

What each does here stands in its driver.
"""

from dataclasses import dataclass
from typing import Final, Literal


@dataclass(frozen=True, slots=True)
class Client:
    """A package of an index, and the script of `drivers` that drives it."""

    name: str
    index: Literal["PyPI", "npm"]
    package: str
    version: str
    driver: str


TABLE: Final = (
    Client("fhirclient-py", "PyPI", "fhirclient", "4.4.0", "fhirclient_py.py"),
    Client("fhirclient-js", "npm", "fhirclient", "2.6.3", "fhirclient_js.mjs"),
    Client("fhir-kit-client", "npm", "fhir-kit-client", "2.0.3", "fhir_kit_client.mjs"),
    # The newest that runs on Node.js 20: later ones want the WebSocket of 22.
    Client("medplum-core", "npm", "@medplum/core", "4.5.2", "medplum_core.mjs"),
    Client("fhirpy", "PyPI", "fhirpy", "2.3.1", "drive_fhirpy.py"),
    Client("fhir-pyrate", "PyPI", "fhir-pyrate", "0.2.6", "drive_fhir_pyrate.py"),
    Client("smart-fetch", "PyPI", "smart-fetch", "1.0.3", "drive_smart_fetch.py"),
)
