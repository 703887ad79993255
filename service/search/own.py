"""A search under one patient's circle, driven by that patient's record: it costs what the record holds, not the tenant.

The circle itself stays in the statement's Grant; what is added here only leads to the rows. https://hl7.org/fhir/R4/search.html
"""

from dataclasses import replace
from datetime import datetime
from typing import Any

from schemas import ids, tokens
from schemas.registry import REGISTRY
from service import circle
from service.grant import Grant
from service.search import reference, sql
from service.search.binder import Binder
from service.search.query import Identity, PartOf, Place, Query, Test, Typed
from service.search.reader import Reader, any_of


def within(query: Query, grant: Grant, letter: str, tenant_id: int, now: datetime) -> Query:
    """The query with the record that all its rules are about among its tests, in the order that it has without that."""
    if grant.patient is None or not any(_is_own(grant, letter, each.type) for each in query.typed):
        return query
    reader = Reader(tenant_id, "", now, Binder(query.values))
    typed = tuple(
        Typed(each.type, (*each.tests, _record(reader, each.type, grant.patient)))
        if _is_own(grant, letter, each.type)
        else each
        for each in query.typed
    )
    return replace(query, typed=typed, values=tuple(reader.binder.values), sort=sql.sorts(query))


def _is_own(grant: Grant, letter: str, type_name: str) -> bool:
    limits = grant.limits(letter, type_name)
    is_record = circle.has_patients(type_name) and type_name not in circle.SHARED
    return is_record and bool(limits) and all(circle.PATIENT in circles for _, circles in limits or ())


def _record(reader: Reader, type_name: str, patient: str) -> Test:
    if type_name == "Patient":
        return Identity(reader.array([ids.key(reader.tenant_id, "Patient", patient)]))
    tests: list[Test] = []
    if circle.has_column(type_name):
        tests.append(Place("patient", reader.binder.add(ids.key(reader.tenant_id, "Patient", patient))))
    search = REGISTRY.types[type_name].search
    found: list[tuple[str, Any]] = []
    for code in circle.patient_codes(type_name):
        found += reference.to(reader, type_name, search[code], "Patient", patient)
    tests += [reader.places(found)] if found else []
    if type_name == "Task":
        task, part_of = REGISTRY.types["Task"].id, search["part-of"].id
        salt = reader.binder.add(tokens.reference_salt(reader.tenant_id, task, part_of, task))
        tests.append(PartOf(any_of(tests), salt))
    return any_of(tests)
