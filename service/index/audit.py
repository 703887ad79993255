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
_SOME_REQUEST: Final = "r"


def build(record: AuditRecord) -> rows.IndexRow:
    """What `rows.build` makes of the record's AuditEvent."""
    same = _constant(
        record.tenant_id, record.interaction, record.outcome, record.client_id, record.address, record.shape
    )
    row = replace(same, sel=[], ref=[], refk=[], flt=list(same.flt))
    row.d0, row.d1, row.patient = record.recorded, record.recorded + _PRECISION, record.patient
    if record.user is not None:
        kind, _, user_id = record.user.partition("/")
        for code in ("agent", "patient") if kind == "Patient" else ("agent",):
            _refer(row, code, record.tenant_id, kind, user_id)
    if record.entity is not None and record.entity[0] in REGISTRY.types:
        _refer(row, "entity", record.tenant_id, *record.entity)
        if record.entity[0] == "Patient":
            _refer(row, "patient", record.tenant_id, *record.entity)
    for type_name, resource_id in record.also:
        _refer(row, "entity", record.tenant_id, type_name, resource_id)
    if "p" in record.shape and record.patient is not None:
        for code in ("entity", "patient"):
            _refer(row, code, record.tenant_id, "Patient", str(record.patient))
    if record.request_id:
        row.flt += _request_tokens(record.tenant_id, record.request_id)
    return row


def _refer(row: rows.IndexRow, code: str, tenant_id: int, type_name: str, resource_id: str) -> None:
    event, target = REGISTRY.types["AuditEvent"], REGISTRY.types[type_name]
    param, key = event.search[code], ids.key(tenant_id, type_name, resource_id)
    row.sel.append(tokens.reference(tenant_id, event.id, param.id, target.id, key))
    row.ref.append(key)
    row.refk.append(rows.reference_key(param.id, target.id))
    row.present |= 1 << param.bit


@lru_cache(maxsize=8192)
def _constant(
    tenant_id: int, interaction: str, outcome: int, client_id: str, address: str | None, shape: str
) -> rows.IndexRow:
    """The row of an event of this shape, its references apart: they are `sel`, `ref` and `refk`."""
    record = audit.event(
        interaction,
        tenant_id=tenant_id,
        client_id=client_id,
        address=address,
        recorded=rows.SOME_TIME,
        outcome=outcome,
        type="Basic" if "o" in shape or "t" in shape else None,
        id="x" if "o" in shape else None,
        version=None,
        query="" if "q" in shape else None,
        request_id=_SOME_REQUEST if "r" in shape else "",
        patient="x" if "p" in shape else None,
    )
    row = rows.build(json.parse(record.content), rows.Target(tenant_id, "", "AuditEvent", record.id))
    own = _request_tokens(tenant_id, _SOME_REQUEST)
    return replace(row, flt=[made for made in row.flt if made not in own])


def _request_tokens(tenant_id: int, request_id: str) -> list[int]:
    event = REGISTRY.types["AuditEvent"]
    param = event.search["entity"].id
    texts = (f"|{request_id}", f"*|{request_id}")
    return [tokens.token(tenant_id, event.id, param, f"identifier:{text}") for text in texts]
