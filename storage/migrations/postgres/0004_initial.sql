-- The schema of SQLite's 0001 to 0004 in PostgreSQL's types; see there for what is not said here.
-- Text is compared by octets, as in SQLite: cursors rest on it. The tables of every issuance have no
-- foreign keys, because each insert would lock the row of its account or issuer.

CREATE TABLE acme_account (
  id           TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  status       BIGINT NOT NULL,  -- 0 valid, 1 deactivated, 2 revoked
  spki         BYTEA NOT NULL,
  thumbprint   TEXT COLLATE "C" NOT NULL UNIQUE,  -- RFC 7638
  contacts     TEXT COLLATE "C" NOT NULL,  -- JSON array
  agreed_terms TEXT COLLATE "C" NOT NULL,
  created_at   BIGINT NOT NULL,
  grant_id     TEXT COLLATE "C" NOT NULL DEFAULT ''  -- '' : made without one
);

-- An order is cancelled when its account is not valid and it is not finalizing.
CREATE TABLE acme_order (
  id             TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  account        TEXT COLLATE "C" NOT NULL,
  created_at     BIGINT NOT NULL,
  expires_at     BIGINT NOT NULL,
  identifiers    TEXT COLLATE "C" NOT NULL,  -- as ordered, "dns:example.test", one a line
  authorizations TEXT COLLATE "C" NOT NULL,  -- ids, one a line
  not_before     BIGINT,
  not_after      BIGINT,
  finalizing     BIGINT NOT NULL DEFAULT 0,
  certificate    BYTEA,  -- serial
  error          TEXT COLLATE "C",  -- JSON
  approval       BIGINT NOT NULL DEFAULT 0  -- 1: see acme_approval
);
CREATE INDEX acme_order_account ON acme_order (account, created_at, id);
CREATE UNIQUE INDEX acme_order_certificate ON acme_order (certificate)
  WHERE certificate IS NOT NULL;
CREATE INDEX acme_order_processing ON acme_order (id)
  WHERE finalizing = 1 AND certificate IS NULL AND error IS NULL;

CREATE TABLE acme_authorization (
  id            TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  order_id      TEXT COLLATE "C" NOT NULL,
  account       TEXT COLLATE "C" NOT NULL,
  identifier    TEXT COLLATE "C" NOT NULL,  -- "dns:example.test", never a wildcard
  wildcard      BIGINT NOT NULL,
  token         TEXT COLLATE "C" NOT NULL,
  offered       TEXT COLLATE "C" NOT NULL,  -- challenge types, one a line
  expires_at    BIGINT NOT NULL,
  deactivated   BIGINT NOT NULL DEFAULT 0,
  attempt       TEXT COLLATE "C",  -- type of the challenge the client chose
  attempt_state BIGINT,  -- 0 processing, 1 valid, 2 invalid
  attempt_error TEXT COLLATE "C",  -- JSON
  validated_at  BIGINT,
  drop_key      BYTEA,
  -- The first octets of SHA-256(drop_key): what the index tells about a guess is worth nothing.
  drop_hint     BIGINT,
  attestation   TEXT COLLATE "C",  -- JSON
  payload       TEXT COLLATE "C"  -- of the attempt while it is processing
);
CREATE INDEX acme_authorization_processing ON acme_authorization (id)
  WHERE attempt_state = 0 AND deactivated = 0;
CREATE INDEX acme_authorization_held ON acme_authorization (account, identifier, wildcard)
  WHERE attempt_state = 1 AND deactivated = 0;

CREATE TABLE issuer (
  id   BIGINT PRIMARY KEY,
  name TEXT COLLATE "C" NOT NULL UNIQUE  -- ca::IssuerId
);

-- Small and read for every OCSP answer that is not cached; the bulk is in certificate_body.
-- Serials are unique across issuers (RFC 5280 asks it of one issuer) because orders and operators
-- name a certificate by its serial alone.
CREATE TABLE certificate_status (
  serial     BYTEA NOT NULL PRIMARY KEY,  -- minimal big-endian octets
  issuer     BIGINT NOT NULL,
  body       BIGINT NOT NULL,  -- certificate_body.id
  state      BIGINT NOT NULL,  -- 0 intent, 1 issued, 2 abandoned
  not_after  BIGINT NOT NULL,
  revoked_at BIGINT,
  reason     BIGINT
);
CREATE INDEX certificate_status_intent ON certificate_status (body) WHERE state = 0;
CREATE INDEX certificate_status_revoked
  ON certificate_status (issuer, serial, not_after, revoked_at, reason)
  WHERE revoked_at IS NOT NULL;

CREATE TABLE certificate_body (
  id          BIGINT PRIMARY KEY,  -- in the order of the intents
  serial      BYTEA NOT NULL,
  reference   TEXT COLLATE "C" NOT NULL,
  owner       TEXT COLLATE "C" NOT NULL,
  profile     TEXT COLLATE "C" NOT NULL,
  dns_names   TEXT COLLATE "C" NOT NULL,  -- one a line
  intended_at BIGINT NOT NULL,
  tbs         BYTEA,  -- NULL once der holds these octets at tbs_offset
  der         BYTEA,
  tbs_offset  BIGINT,
  tbs_size    BIGINT,
  spki_sha256 BYTEA
);
CREATE INDEX certificate_body_reference ON certificate_body (reference) WHERE reference <> '';
CREATE INDEX certificate_body_owner ON certificate_body (owner) WHERE owner <> '';

CREATE TABLE certificate_name (
  name TEXT COLLATE "C" NOT NULL,
  body BIGINT NOT NULL,
  PRIMARY KEY (name, body)
);

CREATE VIEW certificate_record AS
  SELECT b.id, i.name AS issuer, s.serial, s.state, b.reference, b.owner, b.profile, b.dns_names,
         b.intended_at, s.not_after, s.revoked_at, s.reason, b.tbs, b.der, b.tbs_offset, b.tbs_size
  FROM certificate_status s
  JOIN certificate_body b ON b.id = s.body AND b.serial = s.serial
  JOIN issuer i ON i.id = s.issuer;

-- Rows are never deleted: the next sequence is the greatest and one, in the order of the commits.
CREATE TABLE revocation_event (
  sequence BIGINT PRIMARY KEY,
  serial   BYTEA NOT NULL
);

CREATE TABLE crl_number (
  issuer BIGINT NOT NULL PRIMARY KEY,
  number BIGINT NOT NULL
);

-- One row that is rewritten to find out whether writing works again after it failed.
CREATE TABLE health (
  id     BIGINT PRIMARY KEY CHECK (id = 1),
  probes BIGINT NOT NULL
);
INSERT INTO health VALUES (1, 0);

-- Which keys were certified, and which of them must never be again.
CREATE INDEX certificate_body_key ON certificate_body (spki_sha256) WHERE spki_sha256 IS NOT NULL;

CREATE TABLE compromised_key (
  spki_sha256 BYTEA NOT NULL PRIMARY KEY
);

-- Who may hold which certificate, by which evidence: ca/agent_registry.h. Nested values are JSON
-- (storage/agent_codec.h).

CREATE TABLE evidence_source (
  name       TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  definition TEXT COLLATE "C" NOT NULL  -- JSON
);

CREATE TABLE admission_rule (
  name       TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  source     TEXT COLLATE "C" NOT NULL REFERENCES evidence_source (name),
  definition TEXT COLLATE "C" NOT NULL  -- JSON
);
CREATE INDEX admission_rule_source ON admission_rule (source);

CREATE TABLE agent (
  tenant       TEXT COLLATE "C" NOT NULL,
  name         TEXT COLLATE "C" NOT NULL,
  status       BIGINT NOT NULL,  -- 0 active, 1 suspended, 2 retired
  admitted_by  TEXT COLLATE "C" NOT NULL,  -- name of the rule, or ''
  version      BIGINT NOT NULL,
  created_at   BIGINT NOT NULL,
  changed_at   BIGINT NOT NULL,
  registration TEXT COLLATE "C" NOT NULL,  -- JSON
  PRIMARY KEY (tenant, name)
);
CREATE INDEX agent_by_status ON agent (status, tenant, name);

-- The sources that agents need which are not retired.
CREATE TABLE agent_source (
  source TEXT COLLATE "C" NOT NULL REFERENCES evidence_source (name),
  tenant TEXT COLLATE "C" NOT NULL,
  name   TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (source, tenant, name),
  FOREIGN KEY (tenant, name) REFERENCES agent (tenant, name)
);
CREATE INDEX agent_source_agent ON agent_source (tenant, name);

-- Tenant and name are '' for rules and sources. Rows are never changed or deleted: the next sequence
-- is the greatest and one, in the order of the commits.
CREATE TABLE agent_event (
  sequence BIGINT PRIMARY KEY,
  tenant   TEXT COLLATE "C" NOT NULL,
  name     TEXT COLLATE "C" NOT NULL,
  at       BIGINT NOT NULL,
  by       TEXT COLLATE "C" NOT NULL,
  what     TEXT COLLATE "C" NOT NULL,
  detail   TEXT COLLATE "C" NOT NULL
);
CREATE INDEX agent_event_agent ON agent_event (tenant, name, sequence);

-- Evidence of agents: where it may be dropped, what it proved, and who must agree besides.
CREATE INDEX acme_authorization_drop ON acme_authorization (drop_hint)
  WHERE drop_hint IS NOT NULL;

-- Rows are never deleted: evidence is used once, for ever.
CREATE TABLE attestation (
  id            BIGINT PRIMARY KEY,  -- in the order of the commits
  reference     TEXT COLLATE "C" NOT NULL UNIQUE,  -- id of an authorization or key id of a grant
  account       TEXT COLLATE "C" NOT NULL,  -- '' : of a grant that is not spent
  tenant        TEXT COLLATE "C" NOT NULL,
  agent         TEXT COLLATE "C" NOT NULL,
  evidence_hash BYTEA NOT NULL UNIQUE,
  replay_id     TEXT COLLATE "C" UNIQUE,
  attestation   TEXT COLLATE "C" NOT NULL  -- JSON
);
CREATE INDEX attestation_agent ON attestation (tenant, agent, id);

CREATE TABLE acme_grant (
  key_id     TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  mac_key    BYTEA NOT NULL,  -- zeros once it is spent
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  account    TEXT COLLATE "C"  -- that it was spent on
);

CREATE TABLE acme_approval (
  order_id   TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  tenant     TEXT COLLATE "C" NOT NULL,
  agent      TEXT COLLATE "C" NOT NULL,
  csr        BYTEA NOT NULL,
  decision   BIGINT NOT NULL,  -- 0 waiting, 1 granted, 2 denied
  asked_at   BIGINT NOT NULL,
  decided_by TEXT COLLATE "C" NOT NULL,
  reason     TEXT COLLATE "C" NOT NULL,
  decided_at BIGINT
);
CREATE INDEX acme_approval_asked ON acme_approval (asked_at, order_id);
CREATE INDEX acme_approval_waiting ON acme_approval (asked_at, order_id) WHERE decision = 0;
