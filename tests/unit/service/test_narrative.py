"""Narratives of documents: whatever people write, they are well-formed XHTML that our validator takes, and say it all."""

import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.validate import validate
from service.prints.document import Bulleted, Notice, Picture, Quote, Section, Table, Text
from service.summary.narrative import div

ALLOWED = re.compile("div|h[12]|p|b|i|ul|li|blockquote|table|caption|thead|tbody|tr|th|td|br")
WRITTEN = st.text(
    st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"], include_characters="\n"), max_size=60
)
BLOCKS = st.one_of(
    WRITTEN.map(Text),
    WRITTEN.map(Notice),
    st.lists(WRITTEN, min_size=1, max_size=3).map(lambda items: Bulleted(tuple(items))),
    st.builds(Quote, WRITTEN, WRITTEN),
    WRITTEN.map(lambda text: Picture(b"<svg/>", text)),
    st.builds(lambda a, b, c: Table(a, (b, c), ((c, b), (a, a))), WRITTEN, WRITTEN, WRITTEN),
)


@given(st.lists(st.builds(lambda heading, block: Section(heading, (block,)), WRITTEN, BLOCKS), max_size=4), WRITTEN)
def test_anything_written_makes_a_well_formed_narrative_that_says_it(sections: list[Section], title: str) -> None:
    made = div(sections, "en", title)
    root = ElementTree.fromstring(made)  # noqa: S314 - made a line above
    said = "".join(root.itertext())
    for section in sections:
        assert "".join(filter(str.isalnum, section.heading)) in "".join(filter(str.isalnum, said))
    used = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert all(ALLOWED.fullmatch(name) for name in used), used


@pytest.mark.parametrize("written", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "a & b", "]]>"])
def test_markup_that_somebody_wrote_is_text(written: str) -> None:
    made = div([Section(written, (Text(written), Quote(written, written)))], "en")
    assert "<script" not in made
    assert "<img" not in made
    basic = {"resourceType": "Basic", "code": {"text": "x"}, "text": {"status": "generated", "div": made}}
    assert validate(basic) == []
