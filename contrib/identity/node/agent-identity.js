// What a certificate says of its AI agent: the AgentIdentity extension and the SPIFFE ID. Check the
// chain, the dates and the revocation list first (tls: rejectUnauthorized, crl): this reads and
// verifies nothing. No dependencies; node:crypto offers no extensions, so their DER is walked here.

export const DEFAULT_ARC = '1.3.6.1.4.1.32473.1'; // agent-arc in agentca.conf
const MAX_SIZE = 32 * 1024;

const DEGREES = ['low', 'medium', 'high'];
const LIFESPANS = ['ephemeral', 'session', 'persistent'];
const KINDS = ['model', 'image', 'config', 'prompt', 'tools'];
const BASES = ['declared', 'signed', 'attested'];
const HASHES = {
  '2.16.840.1.101.3.4.2.1': ['sha256', 32],
  '2.16.840.1.101.3.4.2.2': ['sha384', 48],
  '2.16.840.1.101.3.4.2.3': ['sha512', 64],
};
const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const BOOLEAN = 1, INTEGER = 2, OCTETS = 4, OID = 6, ENUMERATED = 10, UTF8 = 12, TIME = 24;
const SEQUENCE = 0x30;

function require(sound, fault) {
  if (!sound) throw new Error(`agent identity: ${fault}`);
}

// [tag, content] of each element. DER alone: one octet of tag, the shortest definite length.
function elements(data) {
  const out = [];
  for (let at = 0; at < data.length;) {
    require(data.length >= at + 2 && (data[at] & 0x1f) !== 0x1f, 'not DER');
    const tag = data[at];
    let length = data[at + 1];
    at += 2;
    if (length >= 0x80) {
      const count = length - 0x80;
      require(count >= 1 && count <= 3 && data.length >= at + count && data[at] !== 0, 'not DER');
      length = data.readUIntBE(at, count);
      require(length >= 0x80, 'not DER');
      at += count;
    }
    require(data.length - at >= length, 'truncated');
    out.push([tag, data.subarray(at, at + length)]);
    at += length;
  }
  return out;
}

// The elements of one SEQUENCE, in order.
class Reader {
  constructor(data) {
    this.rest = elements(data);
  }
  has(tag) {
    return this.rest.length > 0 && this.rest[0][0] === tag;
  }
  take(tag) {
    require(this.has(tag), `tag 0x${tag.toString(16)} is not where it belongs`);
    return this.rest.shift()[1];
  }
  text(tag = UTF8) {
    const octets = this.take(tag);
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(octets);
    require(text !== '', 'an empty text');
    return text;
  }
  number(tag = INTEGER, most = 2 ** 32 - 1) {
    const octets = this.take(tag);
    require(octets.length >= 1 && octets.length <= 5, 'a number out of range');
    const padded = octets.length > 1 && octets[0] === 0 && octets[1] < 0x80;
    const value = octets.readIntBE(0, octets.length);
    require(!padded && value >= 0 && value <= most, 'a number out of range');
    return value;
  }
  word(words) {
    return words[this.number(ENUMERATED, words.length - 1)];
  }
  end(result) {
    require(this.rest.length === 0, 'more than belongs there');
    return result;
  }
}

function oidOf(octets) {
  const parts = [];
  let part = 0;
  for (const octet of octets) {
    part = part * 128 + (octet & 0x7f);
    if (octet < 0x80) {
      parts.push(part);
      part = 0;
    }
  }
  const first = Math.min(Math.floor(parts[0] / 40), 2);
  return [first, parts[0] - 40 * first, ...parts.slice(1)].join('.');
}

// TBSCertificate.extensions [3] as { oid, critical, value }; RFC 5280, section 4.1.
function extensionsOf(certificate) {
  const tbs = new Reader(new Reader(new Reader(certificate.raw).take(SEQUENCE)).take(SEQUENCE));
  const wrapped = tbs.rest.find(([tag]) => tag === 0xa3);
  if (!wrapped) return [];
  const list = new Reader(new Reader(wrapped[1]).take(SEQUENCE));
  return list.rest.map(([, content]) => {
    const reader = new Reader(content);
    const oid = oidOf(reader.take(OID));
    const critical = reader.has(BOOLEAN) && reader.take(BOOLEAN)[0] !== 0;
    return { oid, critical, value: reader.take(OCTETS) };
  });
}

function one(extensions, oid) {
  const found = extensions.filter((extension) => extension.oid === oid);
  require(found.length <= 1, `extension ${oid} is there twice`);
  return found[0];
}

// `certificate`: an X509Certificate of node:crypto. The one SPIFFE ID, or null when there is none.
// Throws when it has another URI beside it.
export function spiffeId(certificate) {
  const extension = one(extensionsOf(certificate), '2.5.29.17');
  if (!extension) return null;
  const names = new Reader(new Reader(extension.value).take(SEQUENCE)).rest;
  const uris = names.filter(([tag]) => tag === 0x86).map(([, uri]) => uri.toString('latin1'));
  if (!uris.some((uri) => uri.startsWith('spiffe:'))) return null;
  require(uris.length === 1, 'a SPIFFE ID and another URI'); // X509-SVID, section 2
  return uris[0];
}

// An object as in `agentca cert show --json`, or null without extension. Throws when it is not sound.
export function agentIdentity(certificate, arc = DEFAULT_ARC) {
  const extension = one(extensionsOf(certificate), `${arc}.1`);
  if (!extension) return null;
  require(!extension.critical, 'critical');
  return parse(extension.value);
}

// From the content of extnValue.
export function parse(value) {
  require(value.length <= MAX_SIZE, 'too long');
  const outer = new Reader(value);
  const reader = new Reader(outer.take(SEQUENCE));
  outer.end();
  require(reader.number() === 1, 'another version');
  const out = { agent: reader.text(), tenant: reader.text() };
  require(LABEL.test(out.agent) && LABEL.test(out.tenant), 'a name that is no label');
  if (reader.has(0x80)) out.sponsor = reader.text(0x80);
  if (reader.has(0x81)) out.deployment = reader.text(0x81);
  out.class = readClass(new Reader(reader.take(0xa2)));
  if (reader.has(0xa3)) {
    const scopes = new Reader(reader.take(0xa3));
    out.scopes = scopes.rest.slice().map(() => scopes.text());
  }
  if (reader.has(0xa4)) {
    const parts = new Reader(reader.take(0xa4));
    out.components = parts.rest.slice().map(() => readComponent(new Reader(parts.take(SEQUENCE))));
  }
  require(out.scopes?.length !== 0 && out.components?.length !== 0, 'an empty list');
  if (reader.has(0x85)) out.parent = reader.text(0x85);
  if (reader.has(0x86)) out.max_depth = reader.number(0x86);
  out.attestation = readAttestation(new Reader(reader.take(0xa7)));
  return reader.end(out);
}

function readClass(reader) {
  return reader.end({
    access: reader.word(DEGREES),
    decision: reader.word(DEGREES),
    risk: reader.word(DEGREES),
    lifespan: reader.word(LIFESPANS),
  });
}

function readComponent(reader) {
  const kind = reader.word(KINDS);
  const [algorithm, size] = HASHES[oidOf(reader.take(OID))] ?? [];
  const digest = reader.take(OCTETS);
  require(digest.length === size, 'a digest of an unknown kind');
  const basis = reader.word(BASES);
  return reader.end({ kind, hash_algorithm: algorithm, digest: digest.toString('hex'), basis });
}

function readAttestation(reader) {
  const format = reader.text();
  const level = reader.number();
  const time = reader.take(TIME).toString('latin1');
  const parts = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(time);
  require(parts && level >= 1 && level <= 4, 'no level or no time');
  const verified = `${parts[1]}-${parts[2]}-${parts[3]}T${parts[4]}:${parts[5]}:${parts[6]}Z`;
  const date = new Date(verified);
  require(!Number.isNaN(date.valueOf()) && date.toISOString().startsWith(verified.slice(0, -1)),
    'no time');
  const bound = reader.take(BOOLEAN).toString('hex');
  const evidence = reader.take(OCTETS);
  require((bound === '00' || bound === 'ff') && evidence.length === 32, 'no boolean or no SHA-256');
  return reader.end({
    format,
    level,
    verified_at: verified,
    key_bound: bound === 'ff',
    evidence_hash: evidence.toString('hex'),
  });
}
