"""The index row of an audit event is the one that its AuditEvent would get by the registry."""

from collections import Counter
from datetime import UTC, datetime
from itertools import product
from typing import Any

import pytest

from schemas import json
from service import audit
from service.index import audit as audit_index
from service.index import rows

PATIENT = "01a21088-327f-763f-b322-d9774eb07acf"
SUBJECTS: list[tuple[str | None, str | None]] = [
    (None, None), ("Task", None), ("Task", "t1"), ("Patient", PATIENT), ("Observation", PATIENT),
]  # fmt: skip


def known(row: rows.IndexRow) -> dict[str, Any]:
    return {
        "sel": Counter(row.sel),
        "flt": set(row.flt),
        "refs": Counter(zip(row.refk, row.ref, strict=True)),
        "present": row.present,
        "words": set((row.words or "").split(rows.WORD_START)),
        "strings": row.strings,
        "d0": row.d0,
    }


@pytest.mark.parametrize("subject", SUBJECTS)
@pytest.mark.parametrize("also", [(), (("Observation", "o1", 1), ("Task", "t2", 3))])
def test_is_built_as_any_resource_s_row(subject: Any, also: Any) -> None:
    users = (None, "Practitioner/p1", f"Patient/{PATIENT}")
    for query, patient, request_id, user in product((None, "status=ready"), (None, PATIENT), ("", "req-1"), users):
        record = audit.event(
            "read", tenant_id=7, client_id="app", address="127.0.0.1", recorded=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
            outcome=0, type=subject[0], id=subject[1], version=2, query=query, request_id=request_id, patient=patient,
            also=also, user=user, purpose="BTG" if user else None,
        )  # fmt: skip
        target = rows.Target(7, "http://h/fhir", "AuditEvent", record.id)
        expected, built = known(rows.build(json.decode(record.content), target)), known(audit_index.build(record))
        assert built == expected, (subject, query, patient, request_id, user)
