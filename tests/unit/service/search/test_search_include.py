"""_include and _revinclude. https://hl7.org/fhir/R4/search.html#revinclude"""

from typing import Any

import pytest

from service.search.page import Pages


@pytest.fixture
async def journey(bench: Any) -> Any:
    """Two Tasks of one patient, whose practitioner works for a clinic that is part of a group."""
    order: dict[str, Any] = {"status": "requested", "intent": "order", "for": {"reference": "Patient/p"}}
    await bench.put(
        {"resourceType": "Organization", "id": "group", "name": "Group"},
        {"resourceType": "Organization", "id": "clinic", "name": "Clinic", "partOf": {"reference": "Organization/group"}},
        {"resourceType": "Practitioner", "id": "doc", "name": [{"family": "Doc"}]},
        {
            "resourceType": "Patient", "id": "p", "generalPractitioner": [{"reference": "Practitioner/doc"}],
            "managingOrganization": {"reference": "Organization/clinic"},
        },
        {"resourceType": "Task", "id": "head", **order, "owner": {"reference": "Practitioner/doc"}},
        {
            "resourceType": "Task", "id": "child", **order, "owner": {"reference": "Patient/p"},
            "partOf": [{"reference": "Task/head"}], "focus": {"reference": "Practitioner/doc"},
        },
        {"resourceType": "Task", "id": "grandchild", **order, "partOf": [{"reference": "Task/child"}]},
        {
            "resourceType": "Observation", "id": "o", "status": "final", "code": {"text": "x"},
            "subject": {"reference": "Patient/p"}, "focus": [{"reference": "Task/head"}],
        },
    )  # fmt: skip
    return bench


@pytest.mark.parametrize(
    ("query", "included"),
    [
        ("Task?_id=head&_include=Task:patient", ["p"]),
        ("Task?_id=head&_include=Task:owner", ["doc"]),
        ("Task?_id=head,child&_include=Task:owner", ["doc", "p"]),
        ("Task?_id=child&_include=Task:owner:Practitioner", []),
        ("Task?_id=child&_include=Task:owner:Patient", ["p"]),
        ("Task?_id=child&_include=Task:focus", ["doc"]),
        ("Task?_id=child&_include=Task:*", ["doc", "head", "p"]),
        ("Task?_id=child&_include=*", ["doc", "head", "p"]),
        ("Task?_id=head,child&_include=Task:part-of", []),
        ("Patient?_id=p&_revinclude=Task:patient", ["child", "grandchild", "head"]),
        ("Patient?_id=p&_revinclude=Task:owner", ["child"]),
        ("Patient?_id=p&_revinclude=Observation:subject&_revinclude=Task:owner", ["child", "o"]),
        ("Task?_id=head&_revinclude=Task:part-of", ["child"]),
        ("Task?_id=head&_revinclude=*", ["child", "o"]),
        ("Task?_id=head&_include=Task:patient&_include:iterate=Patient:organization", ["clinic", "p"]),
        (
            "Task?_id=head&_include=Task:patient&_include:iterate=Patient:*&_include:iterate=Organization:partof",
            ["clinic", "doc", "group", "p"],
        ),
        ("Task?_id=head&_revinclude:iterate=Task:part-of", ["child", "grandchild"]),
        ("Task?_id=head&_revinclude:recurse=Task:part-of", ["child", "grandchild"]),
        ("Task?_id=none&_include=Task:patient", []),
    ],
)
async def test_includes(journey: Any, query: str, included: list[str]) -> None:
    bundle = await journey.get(f"/{query}")

    assert sorted(journey.seen(bundle, "include")) == included
    assert len(bundle.get("entry", ())) == len({entry["fullUrl"] for entry in bundle.get("entry", ())})


async def test_a_match_is_not_included_again(journey: Any) -> None:
    bundle = await journey.get("/Task?_include=Task:part-of&_revinclude=Task:part-of")

    assert sorted(journey.seen(bundle)) == ["child", "grandchild", "head"]
    assert journey.seen(bundle, "include") == []
    assert bundle["total"] == 3


async def test_the_row_beyond_the_page_includes_nothing(journey: Any) -> None:
    pages = ["/Task?_sort=_id&_count=1&_include=Task:part-of&_include=Task:owner"]
    included = []
    while pages:
        bundle = await journey.get(pages.pop())
        included.append((journey.seen(bundle), sorted(journey.seen(bundle, "include"))))
        following = journey.link(bundle, "next")
        pages += [following] if following else []

    assert sorted(included) == [(["child"], ["head", "p"]), (["grandchild"], ["child"]), (["head"], ["doc"])]


async def test_says_so_when_not_all_is_included(make_bench: Any, journey: Any) -> None:
    limited = make_bench(Pages(b"secret", include_limit=2))
    await limited.put(
        {"resourceType": "Patient", "id": "p"},
        *(
            {
                "resourceType": "Flag", "id": f"f{n}", "status": "active", "code": {"text": "x"},
                "subject": {"reference": "Patient/p"},
            }
            for n in range(4)
        ),
    )  # fmt: skip

    bundle = await limited.get("/Patient?_revinclude=Flag:subject")

    assert len(limited.seen(bundle, "include")) == 2
    (note,) = [entry["resource"] for entry in bundle["entry"] if entry["search"]["mode"] == "outcome"]
    assert note["issue"][0]["severity"] == "warning"
    assert "2 resources are the most" in note["issue"][0]["diagnostics"]


async def test_rounds_are_bounded(bench: Any) -> None:
    order = {"resourceType": "Task", "status": "requested", "intent": "order"}
    await bench.put(
        {**order, "id": "t0"},
        *({**order, "id": f"t{n}", "partOf": [{"reference": f"Task/t{n - 1}"}]} for n in range(1, 9)),
    )

    bundle = await bench.get("/Task?_id=t0&_revinclude:iterate=Task:part-of")

    assert sorted(bench.seen(bundle, "include")) == ["t1", "t2", "t3", "t4", "t5"]


async def test_a_circle_ends(bench: Any) -> None:
    order = {"resourceType": "Task", "status": "requested", "intent": "order"}
    await bench.put(
        {**order, "id": "a", "partOf": [{"reference": "Task/b"}]},
        {**order, "id": "b", "partOf": [{"reference": "Task/a"}]},
    )

    bundle = await bench.get("/Task?_id=a&_include:iterate=Task:part-of")

    assert bench.seen(bundle, "include") == ["b"]
