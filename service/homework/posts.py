"""A group's posts: clients write, a therapist lets out, and each member gets their own. Docs: docs/homework.md, "Groups".

https://hl7.org/fhir/R4/communication.html
"""

from typing import Any, Final

from fhir_mappings import group_post
from fhir_mappings.group_work import members
from schemas import dates, ids
from service.call import Call
from service.errors import Forbidden
from service.homework.authority import found
from service.homework.parts import Held, one
from service.homework.planned import Planned
from service.store import Change, Store

JsonObject = dict[str, Any]
_MOST: Final = 1000


async def follow(call: Call, store: Store, change: Change, planned: Planned) -> None:
    """Refuse what a client sends to others past the therapist; give the members what was let out, or take it back.

    Raises Forbidden. What the members get is as much the caller's to write as anything in their records.
    """
    if planned.call_of(change) is None:
        return
    after = group_post.local(change.resource, call.base)
    before = group_post.local(None if change.before is None else store.current(change.before), call.base)
    group_id = group_post.group_of(after) or group_post.group_of(before)
    if call.grant.shape.is_client:
        await _require_moderation(call, store, change, after, planned)
    if group_id is None or not (group_post.is_out(before) or group_post.is_out(after)):
        return
    held = await _held(call, store, change.id) if before is not None else {}
    post = after if after is not None else {**(before or {}), "status": "entered-in-error"}
    receivers = list(held) or await _members(call, store, planned, group_id, group_post.author_of(post))
    thread = await _thread(call, store, planned, post)
    for patient in receivers:
        known = held.get(patient)
        answers = None if thread is None else _of(call.tenant_id, thread, patient)
        copy = group_post.told(post, change.id, patient, dates.instant(call.now), answers)
        planned.put(
            "Communication",
            _copy_id(call.tenant_id, change.id, patient),
            copy,
            None if known is None else known.stored,
            by_service=not group_post.is_out(post),  # to take back is always allowed, to write into a record is not
        )


async def _require_moderation(
    call: Call, store: Store, change: Change, after: JsonObject | None, planned: Planned
) -> None:
    element = group_post.goes_past(after)
    if element is not None:
        sentence = "A client writes in their own name to their therapist, or to their group (recipient Group)"
        raise _refused(change, element, sentence)
    group_id = group_post.group_of(after)
    if group_id is None:
        return
    if group_post.is_out(after):
        sentence = (
            "What a client writes for a group has status preparation, until the therapist lets it out (completed)"
        )
        raise _refused(change, "status", sentence)
    if group_post.author_of(after) not in await _members(call, store, planned, group_id, None):
        raise _refused(change, "recipient", "Who writes for a group is one of its members")


def _refused(change: Change, element: str, sentence: str) -> Forbidden:
    about = (change.type, change.id)
    return Forbidden(sentence, expression=(f"Communication.{element}",), details_code="moderated", about=about)


async def _members(call: Call, store: Store, planned: Planned, group_id: str, but: str | None) -> list[str]:
    group = await one(call, store, planned, "Group", group_id)
    known = [] if group is None else members(group.resource, call.now)
    return [patient for each in known if (patient := f"Patient/{each}") != but]


async def _held(call: Call, store: Store, post_id: str) -> dict[str, Held]:
    """What members have of the post already, by Patient."""
    copies = await found(call, store, "Communication", [("part-of", f"Communication/{post_id}")], _MOST)
    held = [Held(each.id, each.resource(store.codec), each.stored) for each in copies]
    return {
        patient: each
        for each in held
        if group_post.post_of(each.resource) == post_id and (patient := group_post.author_of(each.resource)) is not None
    }


async def _thread(call: Call, store: Store, planned: Planned, post: JsonObject) -> tuple[str, str | None] | None:
    """The post that this one answers, and whose that is: its author answers the post itself, others what they have of it."""
    reference = next((str(each.get("reference", "")) for each in post.get("inResponseTo", ())), "")
    if not reference.startswith("Communication/"):
        return None
    answered = await one(call, store, planned, "Communication", reference.removeprefix("Communication/"))
    if answered is None:
        return None
    post_id = group_post.post_of(answered.resource) or answered.id
    whole = answered if post_id == answered.id else await one(call, store, planned, "Communication", post_id)
    if whole is None or group_post.group_of(whole.resource) is None:
        return None
    return post_id, group_post.author_of(whole.resource)


def _of(tenant_id: int, thread: tuple[str, str | None], patient: str) -> str:
    post_id, author = thread
    if patient == author:
        return f"Communication/{post_id}"
    return f"Communication/{_copy_id(tenant_id, post_id, patient)}"


def _copy_id(tenant_id: int, post_id: str, patient: str) -> str:
    """The id of what a member gets of a post: the same for whoever lets it out."""
    return str(ids.key(tenant_id, "Communication", f"{group_post.POST}|{group_post.name(post_id, patient)}"))
