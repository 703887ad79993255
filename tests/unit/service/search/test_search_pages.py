"""Pages: links, totals, and cursors that hold for one query of one caller. https://hl7.org/fhir/R4/http.html#paging"""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from service.errors import BadRequest
from service.grant import from_scope
from service.search.page import Pages

READER = from_scope("reader", "system/*.rs")


@pytest.fixture
async def tasks(bench: Any) -> Any:
    """Seven Tasks of one patient, one a day."""
    await bench.put(
        *(
            {
                "resourceType": "Task", "id": f"t{day}", "status": "requested", "intent": "order",
                "for": {"reference": "Patient/p"}, "executionPeriod": {"start": f"2024-01-0{day}"},
            }
            for day in range(1, 8)
        )
    )  # fmt: skip
    return bench


def cursor(address: str | None) -> str:
    assert address is not None
    return parse_qs(urlsplit(address).query)["_cursor"][0]


async def test_walks_there_and_back(tasks: Any) -> None:
    first = await tasks.get("/Task?patient=p&_count=3")
    second = await tasks.get(tasks.link(first, "next"))
    third = await tasks.get(tasks.link(second, "next"))

    assert [tasks.seen(each) for each in (first, second, third)] == [["t7", "t6", "t5"], ["t4", "t3", "t2"], ["t1"]]
    assert tasks.link(first, "previous") is None
    assert tasks.link(third, "next") is None
    assert tasks.seen(await tasks.get(tasks.link(third, "previous"))) == ["t4", "t3", "t2"]
    assert tasks.seen(await tasks.get(tasks.link(second, "previous"))) == ["t7", "t6", "t5"]
    assert tasks.link(third, "first") == tasks.link(first, "self")


async def test_links_keep_the_query_as_it_was_sent(tasks: Any) -> None:
    bundle = await tasks.get("/Task?patient=Patient/p&status=requested,accepted&_sort=-period&_format=json&_count=2")

    assert tasks.link(bundle, "self") == (
        "https://hearth.test/fhir/Task?patient=Patient/p&status=requested,accepted&_sort=-period&_format=json&_count=2"
    )
    assert tasks.link(bundle, "next").startswith(tasks.link(bundle, "self") + "&_cursor=")


async def test_a_page_that_is_just_full_is_the_last(tasks: Any) -> None:
    bundle = await tasks.get("/Task?_count=7")
    assert len(tasks.seen(bundle)) == 7
    assert tasks.link(bundle, "next") is None


async def test_neither_loses_nor_repeats_rows_while_others_write(tasks: Any) -> None:
    first = await tasks.get("/Task?patient=p&_count=3")
    await tasks.put(
        {
            "resourceType": "Task", "id": "newest", "status": "requested", "intent": "order",
            "for": {"reference": "Patient/p"}, "executionPeriod": {"start": "2024-02-01"},
        }
    )  # fmt: skip
    await tasks.remove("Task", "t5")  # the row that the cursor names
    await tasks.remove("Task", "t3")

    second = await tasks.get(tasks.link(first, "next"))

    assert tasks.seen(second) == ["t4", "t2", "t1"]
    assert tasks.link(second, "next") is None


async def test_refuses_a_cursor_that_was_changed(tasks: Any) -> None:
    found = cursor(tasks.link(await tasks.get("/Task?_count=3"), "next"))
    for made in (
        found[:-1] + ("A" if found[-1] != "A" else "B"),
        found[2:],
        found + "AAAA",
        "x",
        "",
        "ä",
        "a b",
    ):
        with pytest.raises(BadRequest, match="was not made for this query"):
            await tasks.get(f"/Task?_count=3&_cursor={made}")


async def test_refuses_a_cursor_of_another_query(tasks: Any) -> None:
    found = cursor(tasks.link(await tasks.get("/Task?_count=3"), "next"))
    for path in (
        "/Task?_count=4",
        "/Task?_count=3&status=requested",
        "/Task?",
        "/Task?_count=3&_sort=period",
        "/Observation?_count=3",
        "/Patient/p/Task?_count=3",
        "/?_count=3",
    ):
        with pytest.raises(BadRequest, match="was not made for this query"):
            await tasks.get(f"{path}&_cursor={found}")
    assert len(tasks.seen(await tasks.get(f"/Task?_cursor={found}&_count=3"))) == 3


async def test_refuses_a_cursor_of_another_caller(tasks: Any, make_bench: Any) -> None:
    following = tasks.link(await tasks.get("/Task?_count=3"), "next")

    with pytest.raises(BadRequest):
        await tasks.get(following, READER)
    with pytest.raises(BadRequest):
        await tasks.get(following, from_scope("tester", "system/*.rs"))
    with pytest.raises(BadRequest):
        await make_bench().get(following)
    with pytest.raises(BadRequest):
        await make_bench(Pages(b"another secret")).get(following)


async def test_a_cursor_holds_for_whoever_has_the_secret(tasks: Any) -> None:
    call, binding = tasks.call("/Task"), "history /Task"
    one, other = Pages(b"the same"), Pages(b"the same")
    payload: list[str | int] = ["2024", 5, -(1 << 60), "ä"]

    assert other.open(one.sign(payload, binding, call), binding, call) == payload


async def test_the_total_is_there_when_it_is_asked_for_or_known(tasks: Any) -> None:
    assert "total" not in await tasks.get("/Task?_count=3")
    assert (await tasks.get("/Task?_count=3&_total=accurate"))["total"] == 7
    assert (await tasks.get("/Task"))["total"] == 7
    assert "total" not in await tasks.get("/Task?_total=none")
    assert isinstance((await tasks.get("/Task?_count=3&_total=estimate"))["total"], int)
    assert (await tasks.get("/Task?status=completed"))["total"] == 0


async def test_a_count_has_no_entries(tasks: Any) -> None:
    for query in ("_count=0", "_summary=count", "_summary=count&_count=5"):
        bundle = await tasks.get(f"/Task?patient=p&{query}")
        assert bundle["total"] == 7
        assert "entry" not in bundle


async def test_the_largest_page_has_a_thousand_entries(tasks: Any) -> None:
    assert len(tasks.seen(await tasks.get("/Task?_count=99999999999999999999"))) == 7


@pytest.mark.parametrize(
    "sort", ["", "&_sort=_lastUpdated", "&_sort=-_lastUpdated,_id", "&_sort=_id", "&_lastUpdated=gt2020"]
)
async def test_pages_of_all_types_are_one_order(tasks: Any, sort: str) -> None:
    await tasks.put(
        {"resourceType": "Patient", "id": "p"}, {"resourceType": "Group", "id": "g", "type": "person", "actual": True}
    )

    pages = await tasks.walked(f"/?_type=Task,Patient,Group&_count=2{sort}")

    found = [each for page in pages for each in page]
    assert sorted(found) == ["g", "p", *(f"t{day}" for day in range(1, 8))]
    assert found == await tasks.found(f"/?_type=Task,Patient,Group{sort}")
