"""Trains the compression dictionary that the store starts with: `python -m schemas.generate.dictionary <folder of examples>`.

The examples are multiplied with other ids, dates and numbers, so that the dictionary learns what resources have in common
and nothing that is said in one of them. Numbers are never used again: a stored row names its dictionary for ever.
"""

import json
import random
import re
import sys
import uuid
from importlib import resources
from pathlib import Path
from typing import Final

import zstandard

_SIZE: Final = 48 * 1024
_COPIES: Final = 60
_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_DATE: Final = re.compile(r"20\d\d-\d\d-\d\d")
_TIME: Final = re.compile(r"T\d\d:\d\d:\d\d(\.\d+)?Z?")
_REFERENCE: Final = re.compile(r'"([A-Z][A-Za-z]+)/([a-z0-9\-]{1,40})"')


def _variant(text: str, chance: random.Random) -> str:
    def new_id() -> str:
        return str(uuid.UUID(int=0x01A0 << 112 | 0x7 << 76 | chance.getrandbits(76), version=4))

    text = _UUID.sub(lambda _: new_id(), text)
    text = _REFERENCE.sub(lambda match: f'"{match[1]}/{new_id()}"', text)
    text = _DATE.sub(
        lambda _: f"20{chance.randint(25, 39)}-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}", text
    )
    text = _TIME.sub(
        lambda _: (
            f"T{chance.randint(0, 23):02}:{chance.randint(0, 59):02}:{chance.randint(0, 59):02}"
            f".{chance.randint(0, 999):03}Z"
        ),
        text,
    )
    resource = json.loads(text)
    day = f"20{chance.randint(26, 39)}-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}"
    moment = f"{day}T10:20:30.{chance.randint(0, 999):03}Z"
    meta = {"versionId": str(chance.randint(1, 9)), "lastUpdated": moment, **resource.get("meta", {})}
    stamped = {"resourceType": resource["resourceType"], "id": new_id(), "meta": meta, **resource}
    return json.dumps(stamped | {"id": stamped["id"], "meta": meta}, ensure_ascii=False, separators=(",", ":"))


def main(folder: Path, number: int = 1) -> None:
    """Write `schemas/data/dictionaries/<number>.zstd`."""
    chance = random.Random(number)  # noqa: S311 - variety, not secrecy
    examples = [path.read_text() for path in sorted(folder.glob("*.json"))]
    examples = [text for text in examples if '"resourceType"' in text]
    samples: list[bytes | bytearray | memoryview[int]] = [
        _variant(text, chance).encode() for _ in range(_COPIES) for text in examples
    ]
    chance.shuffle(samples)
    trained = zstandard.train_dictionary(_SIZE, samples, level=3)
    place = Path(str(resources.files("schemas"))) / "data" / "dictionaries" / f"{number}.zstd"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(trained.as_bytes())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
