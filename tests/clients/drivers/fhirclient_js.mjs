// fhirclient for JavaScript: launches with PKCE, identity, paging, refresh without client_id. https://docs.smarthealthit.org/client-js/

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import smart from 'fhirclient';

const scene = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const [python, ...words] = scene.supporting;
const supporting = (...more) => execFileSync(python, [...words, process.argv[2], ...more], { encoding: 'utf8' }).trim();

// What the library needs of a web server: the request's address, a redirect, a session.
function web() {
  const kept = {};
  const storage = { get: async (key) => kept[key], set: async (key, value) => (kept[key] = value), unset: async (key) => delete kept[key] };
  const at = (address) => {
    const url = new URL(address);
    const response = { writeHead: (_status, headers) => (response.location = headers.location), end() {} };
    return [{ url: url.pathname + url.search, headers: { host: url.host, 'x-forwarded-proto': url.protocol.slice(0, -1) }, socket: {} }, response, storage];
  };
  return at;
}

async function launched(who, options, query = '') {
  const at = web();
  const [request, response, storage] = at(`${scene.launch}${query}`);
  await smart(request, response, storage).authorize({ redirectUri: scene.callback, pkceMode: 'required', ...options });
  return smart(...at(supporting('person', who, response.location, scene.callback))).ready();
}

const scope = 'launch/patient openid fhirUser offline_access patient/*.rs patient/QuestionnaireResponse.c';
const client = await launched('robin', { clientId: scene.diary.client_id, iss: scene.base, scope });
assert.equal(client.patient.id, scene.patient);
assert.equal(client.user.fhirUser, `Patient/${scene.patient}`);
assert.equal((await client.user.read()).id, scene.patient);
console.log('standalone launch with PKCE and fhirUser');

assert.equal((await client.patient.read()).name[0].family, 'Sample');
const found = await client.patient.request('Observation?_count=3', { pageLimit: 0, flat: true });
assert.equal(found.length, scene.observations);
let seen = 0;
for await (const page of client.pages(`Observation?patient=${scene.patient}&_count=2`)) seen += page.entry.length;
assert.equal(seen, scene.observations);
console.log('read and search with paging as the patient');

const answer = { resourceType: 'QuestionnaireResponse', status: 'in-progress', subject: { reference: `Patient/${scene.patient}` } };
assert.ok((await client.create(answer)).id);
console.log('create');

const before = client.state.tokenResponse.access_token;
client.state.expiresAt = 0;
await client.request(`Patient/${scene.patient}`);
const after = client.state.tokenResponse.access_token;
assert.notEqual(after, before);
assert.ok(client.state.tokenResponse.refresh_token);
console.log('refresh of itself, without client_id');

const handle = supporting('launch', 'review', 'kim');
const jwk = scene.review.jwks.keys[0];
const chart = await launched(
  'kim',
  { clientId: scene.review.client_id, scope: 'launch openid fhirUser user/Task.rus patient/*.rs', clientPrivateJwk: jwk },
  `?iss=${encodeURIComponent(scene.base)}&launch=${handle}`,
);
assert.equal(chart.patient.id, scene.patient);
assert.equal(chart.user.fhirUser, 'Practitioner/kim');
assert.equal(chart.state.tokenResponse.fhirContext[0].reference, `Task/${scene.task}`);
assert.equal(chart.state.tokenResponse.need_patient_banner, true);
assert.equal((await fetch(chart.state.tokenResponse.smart_style_url)).status, 200);
console.log('EHR launch by private_key_jwt with ES384, with its context');

const patched = await chart.patch(`Task/${scene.task}`, [{ op: 'add', path: '/priority', value: 'urgent' }]);
assert.equal(patched.priority, 'urgent');
await assert.rejects(chart.request('Patient/alex'), (fault) => fault.status === 404);
console.log('JSON Patch as the clinician, and 404 for whom they do not treat');

const standalone = 'launch/patient openid fhirUser user/Task.rus patient/*.rs';
const chosen = await launched('kim', { clientId: scene.review.client_id, iss: scene.base, scope: standalone, clientPrivateJwk: jwk });
assert.equal(chosen.patient.id, scene.patient);
console.log('standalone launch of the clinician, who chooses the patient');

const form = new URLSearchParams({ token: client.state.tokenResponse.refresh_token, client_id: scene.diary.client_id });
assert.equal((await fetch(`${scene.origin}/oauth/revoke`, { method: 'POST', body: form })).status, 200);
await assert.rejects(client.patient.read(), (fault) => fault.status === 401);
console.log('401 after revocation');

// The web server of the developers' page, in a process of its own: somebody opens it, signs in, and reads what it shows.
writeFileSync(`${import.meta.dirname}/app.mjs`, readFileSync(scene.page, 'utf8').match(/^```js\n(.*?)^```/ms)[1]);
const listener = createServer().listen(0, '127.0.0.1');
await once(listener, 'listening');
const { port } = listener.address();
listener.close();
const env = { ...process.env, HEARTH: scene.origin, APP: scene.try.client_id, PORT: String(port) };
const app = spawn(process.execPath, [`${import.meta.dirname}/app.mjs`], { env, stdio: 'inherit' });
try {
  const here = `http://127.0.0.1:${port}/`;
  for (let tries = 0; tries < 50 && !(await fetch(here, { redirect: 'manual' }).catch(() => null)); tries += 1) await setTimeout(100);
  const page = await (await fetch(supporting('person', 'robin', here, `${here}callback`))).text();
  assert.equal(page, `Homework of ${scene.patient}:\n- Walk in the park\n`);
  console.log('the program of docs/connect-your-app.md');
} finally {
  app.kill();
}
