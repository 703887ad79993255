"""Clients, and who asks. Docs: docs/homework-api.md."""

from fhir_mappings.homework_api import people as mapping
from schemas.homework.people import Me
from service.call import Reply
from service.homework_api.ask import Ask, escaped

_ROLES = {"Patient": "client", "RelatedPerson": "relative", "Practitioner": "therapist"}


async def me(ask: Ask) -> Reply:
    """Who the token is of."""
    grant = ask.call.grant
    role = _ROLES.get((grant.user or "").partition("/")[0], "app")
    return ask.reply(
        Me.model_validate({"role": role, "person": grant.user, "client": grant.patient, "app": grant.client_id})
    )


async def listed(ask: Ask) -> Reply:
    """A page of the clients that the token may see."""
    query = ask.query
    params = [("_sort", "family")]
    params += [("name", escaped(query.name))] if query.name else []
    params += [("active", str(query.active).lower())] if query.active is not None else []
    found = await ask.page("Patient", params)
    return ask.listed([mapping.client(each) for each in found.matches], found.cursor)


async def read(ask: Ask) -> Reply:
    """One client."""
    patient = await ask.resource("Patient", ask.ids["client"])
    return ask.reply(mapping.client(patient), of=patient)
