-- Times are seconds since 1970 (UTC). Statuses that follow from other columns and the time are not
-- stored: see acme/order_state.h. Ids are random, but begin with the time: neighbours share pages.

CREATE TABLE acme_account (
  id           TEXT NOT NULL PRIMARY KEY,
  status       INTEGER NOT NULL,            -- 0 valid, 1 deactivated, 2 revoked
  spki         BLOB NOT NULL,
  thumbprint   TEXT NOT NULL UNIQUE,        -- RFC 7638
  contacts     TEXT NOT NULL,               -- JSON array
  agreed_terms TEXT NOT NULL,
  created_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- An order is cancelled when its account is not valid and it is not finalizing.
CREATE TABLE acme_order (
  id             TEXT NOT NULL PRIMARY KEY,
  account        TEXT NOT NULL REFERENCES acme_account (id),
  created_at     INTEGER NOT NULL,
  expires_at     INTEGER NOT NULL,
  identifiers    TEXT NOT NULL,             -- as ordered, "dns:example.test", one a line
  authorizations TEXT NOT NULL,             -- ids, one a line
  not_before     INTEGER,
  not_after      INTEGER,
  finalizing     INTEGER NOT NULL DEFAULT 0,
  certificate    BLOB,                      -- serial
  error          TEXT                       -- JSON
) STRICT, WITHOUT ROWID;
CREATE INDEX acme_order_account ON acme_order (account, created_at, id);
CREATE UNIQUE INDEX acme_order_certificate ON acme_order (certificate)
  WHERE certificate IS NOT NULL;
CREATE INDEX acme_order_processing ON acme_order (id)
  WHERE finalizing = 1 AND certificate IS NULL AND error IS NULL;

CREATE TABLE acme_authorization (
  id            TEXT NOT NULL PRIMARY KEY,
  order_id      TEXT NOT NULL REFERENCES acme_order (id),
  account       TEXT NOT NULL,
  identifier    TEXT NOT NULL,              -- "dns:example.test", never a wildcard
  wildcard      INTEGER NOT NULL,
  token         TEXT NOT NULL,
  offered       TEXT NOT NULL,              -- challenge types, one a line
  expires_at    INTEGER NOT NULL,
  deactivated   INTEGER NOT NULL DEFAULT 0,
  attempt       TEXT,                       -- type of the challenge the client chose
  attempt_state INTEGER,                    -- 0 processing, 1 valid, 2 invalid
  attempt_error TEXT,                       -- JSON
  validated_at  INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX acme_authorization_processing ON acme_authorization (id)
  WHERE attempt_state = 0 AND deactivated = 0;
CREATE INDEX acme_authorization_held ON acme_authorization (account, identifier, wildcard)
  WHERE attempt_state = 1 AND deactivated = 0;

CREATE TABLE issuer (
  id   INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE                 -- ca::IssuerId
) STRICT;

-- Small and read for every OCSP answer that is not cached; the bulk is in certificate_body.
-- Serials are unique across issuers (RFC 5280 asks it of one issuer) because orders and operators
-- name a certificate by its serial alone.
CREATE TABLE certificate_status (
  serial     BLOB NOT NULL PRIMARY KEY,     -- minimal big-endian octets
  issuer     INTEGER NOT NULL REFERENCES issuer (id),
  body       INTEGER NOT NULL,              -- certificate_body.id
  state      INTEGER NOT NULL,              -- 0 intent, 1 issued, 2 abandoned
  not_after  INTEGER NOT NULL,
  revoked_at INTEGER,
  reason     INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX certificate_status_intent ON certificate_status (body) WHERE state = 0;
CREATE INDEX certificate_status_revoked
  ON certificate_status (issuer, serial, not_after, revoked_at, reason)
  WHERE revoked_at IS NOT NULL;

CREATE TABLE certificate_body (
  id          INTEGER PRIMARY KEY,          -- in the order of the intents
  serial      BLOB NOT NULL,
  reference   TEXT NOT NULL,
  owner       TEXT NOT NULL,
  profile     TEXT NOT NULL,
  dns_names   TEXT NOT NULL,                -- one a line
  intended_at INTEGER NOT NULL,
  tbs         BLOB,                         -- NULL once der holds these octets at tbs_offset
  der         BLOB,
  tbs_offset  INTEGER,
  tbs_size    INTEGER
) STRICT;
CREATE INDEX certificate_body_reference ON certificate_body (reference) WHERE reference <> '';
CREATE INDEX certificate_body_owner ON certificate_body (owner) WHERE owner <> '';

CREATE TABLE certificate_name (
  name TEXT NOT NULL,
  body INTEGER NOT NULL,
  PRIMARY KEY (name, body)
) STRICT, WITHOUT ROWID;

CREATE VIEW certificate_record AS
  SELECT b.id, i.name AS issuer, s.serial, s.state, b.reference, b.owner, b.profile, b.dns_names,
         b.intended_at, s.not_after, s.revoked_at, s.reason, b.tbs, b.der, b.tbs_offset, b.tbs_size
  FROM certificate_status s
  JOIN certificate_body b ON b.id = s.body AND b.serial = s.serial
  JOIN issuer i ON i.id = s.issuer;

-- Rows are never deleted: the next sequence is the greatest and one, in the order of the commits.
CREATE TABLE revocation_event (
  sequence INTEGER PRIMARY KEY,
  serial   BLOB NOT NULL
) STRICT;

CREATE TABLE crl_number (
  issuer INTEGER NOT NULL PRIMARY KEY REFERENCES issuer (id),
  number INTEGER NOT NULL
) STRICT;

-- One row that is rewritten to find out whether writing works again after it failed.
CREATE TABLE health (
  id     INTEGER PRIMARY KEY CHECK (id = 1),
  probes INTEGER NOT NULL
) STRICT;
INSERT INTO health VALUES (1, 0);
