"""What the documents show is what happens: each example is played, and its answer is the one that is shown.

HEARTH_WRITE_EXAMPLES=1 writes the answers anew.
"""

import json
import os
from importlib import util
from pathlib import Path
from typing import Any, Final

import pytest

from schemas.homework import examples as shown
from service.homework_api.routes import Asked, route
from service.homework_api.table import ENDPOINTS

FILE: Final = Path(shown.__file__).parent.parent / "data" / "homework" / "examples.json"
_spec = util.spec_from_file_location("playing", Path(__file__).with_name("playing.py"))
assert _spec is not None
assert _spec.loader is not None
playing: Final = util.module_from_spec(_spec)
_spec.loader.exec_module(playing)


def test_every_endpoint_has_an_example() -> None:
    played = [route(each.method, each.path.split("/")) for each in shown.examples() if each.status < 400]
    named = {each.endpoint.name for each in played if isinstance(each, Asked)}
    assert named == {each.name for each in ENDPOINTS}


async def test_the_examples_are_what_happens(practice: Any) -> None:
    actors = {"app": await practice.app(), "client": await practice.robin(), "therapist": await practice.kim()}
    written, ours, theirs = [], dict[str, str](), dict[str, str]()
    with playing.clock(practice.house.app.engine):
        async for each, answer in playing.played(shown.examples(), actors):
            body = playing.shown(answer.json()) if answer.content else None
            written.append({name: value for name, value in (each._asdict() | {"answer": body}).items() if value})
            assert answer.status_code == each.status, (each.title, answer.text)
            if "HEARTH_WRITE_EXAMPLES" not in os.environ:
                assert playing.settled(body, ours) == playing.settled(each.answer, theirs), each.title
    if "HEARTH_WRITE_EXAMPLES" in os.environ:
        FILE.write_text(json.dumps(written, indent=1, ensure_ascii=False) + "\n")
        pytest.skip("written")
