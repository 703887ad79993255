"""Refusals of the FHIR interactions told in terms of the homework API: where in the body that was sent, and in which words."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from schemas.outcome import Issue
from service.errors import HearthError, PreconditionFailed

_ENTRY: Final = re.compile(r"Bundle\.entry\[(\d+)\]\.resource\.?(.*)")


def point(refusal: HearthError, pointers: Sequence[Mapping[str, str]]) -> None:
    """Move the expressions from the resources that were written to the body that they were made of."""
    refusal.issues = tuple(dict.fromkeys(_pointed(each, pointers) for each in refusal.issues))


def _pointed(issue: Issue, pointers: Sequence[Mapping[str, str]]) -> Issue:
    found = dict.fromkeys(place for text in issue.expression if (place := _place(text, pointers)))
    return replace(issue, expression=tuple(found))


def _place(text: str, pointers: Sequence[Mapping[str, str]]) -> str | None:
    """The pointer of the longest path that leads to the element; what is not from the body has none."""
    if text.startswith("#"):
        return text
    match = _ENTRY.fullmatch(text)
    if match is None or int(match[1]) >= len(pointers):
        return None
    known, path = pointers[int(match[1])], match[2]
    while path:
        if path in known:
            return known[path]
        path = re.sub(r"(\.[^.\[]+|\[\d+\]|^[^.\[]+)$", "", path)
    return known.get("")


def name_members(refusal: HearthError) -> None:
    """Point at the members of the body that a refusal names."""
    refusal.issues = tuple(
        replace(each, expression=tuple(text if text.startswith("#") else f"#/{text}" for text in each.expression))
        for each in refusal.issues
    )


def stale(version: int) -> PreconditionFailed:
    """The refusal of a change to a version that is no longer the current one."""
    return PreconditionFailed(
        f"This has been changed meanwhile and is at version {version}; read it again and repeat your change",
        details_code="version-stale",
    )
