"""Index rows of AuditEvents, cheaply: all but the time and the entities is the same for one caller and interaction."""

from dataclasses import replace
from datetime import timedelta
from functools import lru_cache
from typing import Final

from schemas import ids, json, tokens
from schemas.registry import REGISTRY
from service import audit
from service.audit import AuditRecord
from service.index import rows

_PRECISION: Final = timedelta(milliseconds=1)


def build(record: AuditRecord) -> rows.IndexRow:
    """What `rows.build` makes of the record's AuditEvent."""
    same = _constant(record.tenant_id, record.interaction, record.outcome, record.client_id, record.address)
    row = replace(same, sel=list(same.sel), ref=list(same.ref), refk=list(same.refk))
    row.d0, row.d1, row.patient = record.recorded, record.recorded + _PRECISION, record.patient
    if record.entity is not None and record.entity[0] in REGISTRY.types:
        type_name, resource_id = record.entity
        _refer(row, "entity", record.tenant_id, type_name, resource_id)
    for type_name, resource_id in record.also:
        _refer(row, "entity", record.tenant_id, type_name, resource_id)
    if record.patient is not None:
        _refer(row, "patient", record.tenant_id, "Patient", str(record.patient))
        if record.entity is None or record.entity[0] != "Patient":
            _refer(row, "entity", record.tenant_id, "Patient", str(record.patient))
    return row


def _refer(row: rows.IndexRow, code: str, tenant_id: int, type_name: str, resource_id: str) -> None:
    event, target = REGISTRY.types["AuditEvent"], REGISTRY.types[type_name]
    param, key = event.search[code], ids.key(tenant_id, type_name, resource_id)
    row.sel.append(tokens.reference(tenant_id, event.id, param.id, target.id, key))
    row.ref.append(key)
    row.refk.append(rows.reference_key(param.id, target.id))
    row.present |= 1 << param.bit


@lru_cache(maxsize=4096)
def _constant(tenant_id: int, interaction: str, outcome: int, client_id: str, address: str | None) -> rows.IndexRow:
    record = audit.event(
        interaction, tenant_id=tenant_id, client_id=client_id, address=address, recorded=rows.SOME_TIME, outcome=outcome,
        type=None, id=None, version=None, query=None, request_id="", patient=None,
    )  # fmt: skip
    return rows.build(json.decode(record.content), rows.Target(tenant_id, "", "AuditEvent", record.id))
