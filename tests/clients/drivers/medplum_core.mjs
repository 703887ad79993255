// @medplum/core: client credentials with the secret in the form, CRUD, paging. https://www.medplum.com/docs/sdk/core.medplumclient

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { MedplumClient } from '@medplum/core';

const scene = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const { client_id: id, client_secret: secret } = scene.backend;
const client = new MedplumClient({
  baseUrl: scene.origin, fhirUrlPath: 'fhir', tokenUrl: `${scene.origin}/oauth/token`, fetch,
});

await assert.rejects(client.startClientLogin(id, 'wrong'));
await client.startClientLogin(id, secret);
const token = client.getAccessToken();
assert.ok(token);
console.log('secret in the form');

const patient = await client.readResource('Patient', scene.patient);
assert.equal(patient.name[0].family, 'Sample');
let seen = 0;
for await (const page of client.searchResourcePages('Observation', { patient: scene.patient, _count: '3' })) seen += page.length;
assert.equal(seen, scene.observations);
assert.equal((await client.searchOne('Patient', { _id: scene.patient })).id, scene.patient);
console.log('read, search with paging');

const made = await client.createResource({ resourceType: 'Task', status: 'requested', intent: 'order', description: 'Walk' });
const updated = await client.updateResource({ ...made, status: 'ready' });
assert.equal(updated.meta.versionId, '2');
const patched = await client.patchResource('Task', made.id, [{ op: 'add', path: '/priority', value: 'urgent' }]);
assert.equal(patched.priority, 'urgent');
assert.equal((await client.readHistory('Task', made.id)).entry.length, 3);
console.log('create, update, JSON Patch, history');

const identifier = [{ system: 'urn:example:tasks', value: made.id }];
const draft = { resourceType: 'Task', status: 'draft', intent: 'order', identifier };
const first = await client.createResourceIfNoneExist(draft, `identifier=urn:example:tasks|${made.id}`);
const again = await client.createResourceIfNoneExist(draft, `identifier=urn:example:tasks|${made.id}`);
assert.equal(again.id, first.id);
console.log('conditional create');

const done = await client.executeBatch({
  resourceType: 'Bundle', type: 'transaction',
  entry: [made.id, first.id].map((each) => ({ request: { method: 'DELETE', url: `Task/${each}` } })),
});
assert.equal(done.entry.length, 2);
await assert.rejects(client.readResource('Task', made.id));
console.log('transaction');

const form = new URLSearchParams({ token, client_id: id, client_secret: secret });
assert.equal((await fetch(`${scene.origin}/oauth/revoke`, { method: 'POST', body: form })).status, 200);
// The client gets itself a new token with its secret, as a program that runs for months has to.
assert.equal((await client.readResource('Patient', scene.patient, { cache: 'reload' })).id, scene.patient);
assert.notEqual(client.getAccessToken(), token);
console.log('a new token after revocation');
