// Certificates made with the openssl command, sound and not (tests/testdata/make_identities.sh).
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import test from 'node:test';
import { agentIdentity, parse, spiffeId } from './agent-identity.js';

const testdata = new URL('../../../tests/testdata/identity/', import.meta.url);
const read = (name) => readFileSync(new URL(name, testdata));
const load = (name) => new X509Certificate(read(`${name}.pem`));
const bad = readdirSync(testdata).filter((name) => name.startsWith('bad_'));

for (const name of ['agent', 'minimal']) {
  test(`reads ${name} as openssl wrote it`, () => {
    assert.deepEqual(agentIdentity(load(name)), JSON.parse(read(`${name}.json`)));
    assert.equal(spiffeId(load(name)), 'spiffe://example.test/t/acme/a/planner');
  });
}

test('others have none', () => {
  assert.equal(agentIdentity(load('server')), null);
  assert.equal(spiffeId(load('server')), null);
  assert.equal(agentIdentity(load('agent'), '1.2.3'), null);
});

test('there are bad ones', () => assert.ok(bad.length >= 20));
for (const name of bad) {
  test(`refuses ${name}`, () => {
    assert.throws(() => agentIdentity(new X509Certificate(read(name))));
  });
}

test('refuses a second URI', () => assert.throws(() => spiffeId(load('two_uris'))));

test('refuses every truncation and a longer value', () => {
  const { raw } = load('minimal');
  const at = raw.indexOf(Buffer.from('30600201010c07', 'hex'));
  const value = raw.subarray(at, at + 0x62);
  assert.equal(parse(value).agent, 'planner');
  for (let length = 0; length < value.length; ++length) {
    assert.throws(() => parse(value.subarray(0, length)));
  }
  assert.throws(() => parse(Buffer.concat([value, Buffer.alloc(1)])));
  assert.throws(() => parse(Buffer.alloc(32 * 1024 + 1)));
});
