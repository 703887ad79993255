"""The page at /docs: the OpenAPI document readable without scripts, on a phone, by a screen reader."""

from html import escape
from typing import Any, Final

POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"
_STYLE: Final = """
:root{color-scheme:light dark;--ink:#1d2730;--soft:#5a6672;--line:#d5dbe1;--paper:#fff;--tint:#f3f6f8;--mark:#0b6b5d}
@media(prefers-color-scheme:dark){:root{--ink:#e6ebef;--soft:#a5b1bc;--line:#3a444d;--paper:#14191d;--tint:#1d242a;--mark:#5cc9b6}}
body{margin:0 auto;max-width:60rem;padding:1.5rem 1rem 4rem;font:1rem/1.55 system-ui,sans-serif;color:var(--ink);background:var(--paper)}
h1{margin:0 0 .25rem}h2{margin:2.5rem 0 .5rem}p{max-width:44rem}a{color:var(--mark)}
code,pre{font:.95em/1.5 ui-monospace,monospace}pre{overflow-x:auto;background:var(--tint);padding:.75rem 1rem;border-radius:.4rem}
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.45rem .75rem .45rem 0;border-top:1px solid var(--line);vertical-align:top}
th{color:var(--soft);font-weight:600}td code{overflow-wrap:anywhere}
@media(max-width:40rem){thead{display:none}tr,td{display:block}td{border:0;padding:.1rem 0}tr{border-top:1px solid var(--line);padding:.5rem 0}}
"""
_FIRST_STEPS: Final = """
<h2 id="start">First steps</h2>
<p>Get a token with the credentials that <code>make run</code> or <code>hearth clients add</code> printed, then read:</p>
<pre>curl -u CLIENT_ID:CLIENT_SECRET -d grant_type=client_credentials {origin}/oauth/token
curl -H "Authorization: Bearer TOKEN" "{origin}/fhir/Questionnaire?_summary=true"</pre>
<p>Every refusal is an OperationOutcome that says what was wrong, where, and what would be right. The types and search parameters
are in the <a href="/fhir/metadata?_pretty=true">CapabilityStatement</a>; the same description for machines is
<a href="/openapi.json">/openapi.json</a>.</p>
<p>Apps that need not know FHIR use the homework API at <code>/api/v1</code>, on the same data: <code>GET /api/v1/me</code>,
<code>GET /api/v1/assignments?state=due</code>. <a href="/api/v1/openapi.json">/api/v1/openapi.json</a> describes it, with examples.</p>
"""


def page(document: dict[str, Any], origin: str) -> str:
    """The document as HTML."""
    groups: dict[str, list[str]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            tag = operation.get("tags", ["other"])[0]
            text = operation.get("description") or operation.get("summary", "")
            row = f"<tr><td><strong>{method.upper()}</strong></td><td><code>{escape(path)}</code></td><td>{escape(text)}</td></tr>"
            groups.setdefault(tag, []).append(row)
    sections = "".join(_section(tag, rows) for tag, rows in sorted(groups.items(), key=lambda item: item[0] != "fhir"))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>Hearth API</title><style>{_STYLE}</style></head><body><main><h1>Hearth API</h1>"
        f"<p>{escape(document['info']['summary'])}. {escape(document['info']['description'])}</p>"
        f"{_FIRST_STEPS.replace('{origin}', escape(origin))}{sections}</main></body></html>"
    )


def _section(tag: str, rows: list[str]) -> str:
    title = {"fhir": "FHIR API", "oauth": "Authorization", "operations": "Operations"}.get(tag, tag)
    head = "<thead><tr><th>Method</th><th>Address</th><th>What it does</th></tr></thead>"
    return f"<h2>{escape(title)}</h2><table>{head}<tbody>{''.join(rows)}</tbody></table>"
