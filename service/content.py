"""Resource bytes on their way to and from the store: zstd with a trained dictionary, ids in `enc`, 0 for plain JSON.

A dictionary is never changed nor removed: rows name it for ever. https://facebook.github.io/zstd/#small-data
"""

from typing import Any, Final

import zstandard

from schemas import json

PLAIN: Final = 0
_LEVEL: Final = 3


class Codec:
    """Packs with the newest dictionary and unpacks with the one that `enc` names; for one thread."""

    def __init__(self, dictionaries: dict[int, bytes]) -> None:
        self._unpack: dict[int, Any] = {}
        self._newest = max(dictionaries, default=PLAIN)
        self._pack: Any = None
        for number, raw in dictionaries.items():
            trained = zstandard.ZstdCompressionDict(raw)
            trained.precompute_compress(level=_LEVEL)
            self._unpack[number] = zstandard.ZstdDecompressor(dict_data=trained)
            if number == self._newest:
                self._pack = zstandard.ZstdCompressor(level=_LEVEL, dict_data=trained, write_checksum=False)

    def pack(self, content: bytes) -> tuple[int, bytes]:
        """(enc, bytes to store)."""
        return (PLAIN, content) if self._pack is None else (self._newest, self._pack.compress(content))

    def unpack(self, enc: int, stored: bytes) -> bytes:
        """The JSON that was packed."""
        return stored if enc == PLAIN else self._unpack[enc].decompress(stored)


def stamped(resource: dict[str, Any], resource_id: str, version: int, updated: str) -> dict[str, Any]:
    """`resource` with our id, meta.versionId and meta.lastUpdated; everything else, and the order of it, as it was sent."""
    sent = resource.get("meta")
    ours = {"versionId": str(version), "lastUpdated": updated}
    meta = {**ours, **sent, **ours} if isinstance(sent, dict) else ours
    if "id" in resource and "meta" in resource:
        return {**resource, "id": resource_id, "meta": meta}
    head: dict[str, Any] = {}
    for name, value in resource.items():
        if name == "meta":
            head.setdefault("id", resource_id)
        head[name] = value
        if name == "resourceType":
            head.setdefault("id", resource_id)
            if "meta" not in resource and "id" not in resource:
                head["meta"] = meta
        if name == "id" and "meta" not in resource:
            head["meta"] = meta
    head["id"], head["meta"] = resource_id, meta
    return head


def written(resource: dict[str, Any], resource_id: str, version: int, updated: str) -> bytes:
    """The bytes that readers get."""
    return json.encode(stamped(resource, resource_id, version, updated))
