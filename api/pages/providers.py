"""Signing in by another provider. https://openid.net/specs/openid-connect-core-1_0.html#CodeFlowAuth"""

from __future__ import annotations

from dataclasses import replace

from fastapi import Response

from api.pages import render, sign_in, way
from api.pages.visit import Visit
from service.people import cookies, providers, upstream
from service.people.attempts import SignInRefused


async def leave(visit: Visit) -> Response:
    """Send the browser to the provider. By a link: a form's policy would have to name every host on its way."""
    await way.asked(visit)
    visit.engine.limits.check("sign-in", None, visit.address, visit.now)
    async with visit.connection() as connection:
        provider = await providers.find(connection, visit.tenant_id, visit.query["provider"])
    location, kept = await upstream.begin(provider, visit.place, visit.key, visit.now, visit.look.ask)
    response = render.elsewhere(location)
    lasts = int(upstream.LIFETIME.total_seconds())
    response.headers.append("Set-Cookie", cookies.cookie(visit.place, cookies.UPSTREAM).set(kept, lasts))
    return response


async def back(visit: Visit) -> Response:
    """Take whom the provider vouches for."""
    visit.engine.limits.check("sign-in", None, visit.address, visit.now)
    async with visit.connection() as connection:
        provider = await providers.find(connection, visit.tenant_id, visit.query["provider"])
    cookie = cookies.cookie(visit.place, cookies.UPSTREAM)
    try:
        identity, ask = await upstream.identify(
            provider, visit.place, visit.key, visit.cookie(cookies.UPSTREAM), visit.query, visit.now
        )
        visit = replace(visit, look=replace(visit.look, ask=ask))
        async with visit.connection() as connection:
            account = await providers.account_of(connection, visit.tenant_id, provider, identity)
        response = await sign_in.opened(
            visit, await way.asked(visit), account, by=f"provider {provider.name}", second_factor=provider.second_factor
        )
    except SignInRefused as refusal:
        sign_in.refused(visit, refusal)
        visit = replace(visit, look=replace(visit.look, here="/sign-in"))
        told = visit.said["sign-in.provider"].format(provider=provider.title)
        response = await sign_in.form(visit, await way.asked(visit), 400, told=told)
    response.headers.append("Set-Cookie", cookie.clear())
    return response
