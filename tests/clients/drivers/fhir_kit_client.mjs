// fhir-kit-client: discovery, CRUD, JSON Patch, batch, compartment, paging. https://github.com/Vermonster/fhir-kit-client

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { Client } from 'fhir-kit-client';

const scene = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const client = new Client({ baseUrl: scene.base });

const { authorizeUrl, tokenUrl, registerUrl } = await client.smartAuthMetadata();
assert.equal(tokenUrl.href, `${scene.origin}/oauth/token`);
assert.equal(authorizeUrl.href, `${scene.origin}/oauth/authorize`);
assert.equal(registerUrl.href, `${scene.origin}/oauth/register`);
console.log('discovery');

const secret = Buffer.from(`${scene.backend.client_id}:${scene.backend.client_secret}`).toString('base64');
const post = (url, form) => fetch(url, { method: 'POST', body: new URLSearchParams(form), headers: { authorization: `Basic ${secret}` } });
const { access_token: token } = await (await post(tokenUrl, { grant_type: 'client_credentials' })).json();
client.bearerToken = token;

const metadata = await client.capabilityStatement();
assert.equal(metadata.fhirVersion, '4.0.1');
const patient = await client.read({ resourceType: 'Patient', id: scene.patient });
assert.equal(patient.id, scene.patient);
console.log('read');

let seen = 0;
let page = await client.search({ resourceType: 'Observation', searchParams: { patient: scene.patient, _count: 3 } });
for (; page; page = await client.nextPage({ bundle: page })) seen += page.entry.length;
assert.equal(seen, scene.observations);
const posted = await client.search({
  resourceType: 'Observation', searchParams: { patient: scene.patient, _summary: 'count' }, options: { postSearch: true },
});
assert.equal(posted.total, scene.observations);
console.log('search with paging and by POST');

const compartment = { resourceType: 'Patient', id: scene.patient };
const own = await client.compartmentSearch({ resourceType: 'Observation', compartment, searchParams: { code: '44261-6' } });
assert.equal(own.entry.length, scene.observations);
console.log('search in a compartment');

const made = await client.create({ resourceType: 'Task', body: { resourceType: 'Task', status: 'requested', intent: 'order' } });
const response = Client.httpFor(made).response;
assert.match(response.headers.get('location'), new RegExp(`^${scene.base}/Task/${made.id}/_history/1$`));
const patched = await client.patch({
  resourceType: 'Task', id: made.id, jsonPatch: [{ op: 'replace', path: '/status', value: 'ready' }],
});
assert.equal(patched.status, 'ready');
const updated = await client.update({ resourceType: 'Task', id: made.id, body: { ...patched, description: 'Walk' } });
assert.equal(updated.meta.versionId, '3');
assert.equal((await client.vread({ resourceType: 'Task', id: made.id, version: '1' })).status, 'requested');
assert.equal((await client.history({ resourceType: 'Task', id: made.id })).entry.length, 3);
console.log('create, JSON Patch, update, vread, history');

const done = await client.batch({
  body: {
    resourceType: 'Bundle', type: 'batch',
    entry: [
      { request: { method: 'GET', url: `Patient/${scene.patient}` } },
      { request: { method: 'GET', url: 'Patient/nobody' } },
      { request: { method: 'DELETE', url: `Task/${made.id}` } },
    ],
  },
});
assert.deepEqual(done.entry.map((each) => each.response.status.slice(0, 3)), ['200', '404', '204']);
const record = await client.operation({ name: '$everything', resourceType: 'Patient', id: scene.patient, method: 'GET' });
assert.ok(record.entry.length > scene.observations);
console.log('batch and $everything');

assert.equal((await post(`${scene.origin}/oauth/revoke`, { token })).status, 200);
await assert.rejects(client.read({ resourceType: 'Patient', id: scene.patient }), (fault) => fault.response.status === 401);
console.log('401 after revocation');
