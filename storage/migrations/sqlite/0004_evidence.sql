-- Evidence of agents: where it may be dropped, what it proved, and who must agree besides.

ALTER TABLE acme_account ADD COLUMN grant_id TEXT NOT NULL DEFAULT '';  -- '' : made without one

ALTER TABLE acme_order ADD COLUMN approval INTEGER NOT NULL DEFAULT 0;  -- 1: see acme_approval

ALTER TABLE acme_authorization ADD COLUMN drop_key BLOB;
-- The first octets of SHA-256(drop_key): what the index tells about a guess is worth nothing.
ALTER TABLE acme_authorization ADD COLUMN drop_hint INTEGER;
ALTER TABLE acme_authorization ADD COLUMN attestation TEXT;  -- JSON
ALTER TABLE acme_authorization ADD COLUMN payload TEXT;      -- of the attempt while it is processing
CREATE INDEX acme_authorization_drop ON acme_authorization (drop_hint)
  WHERE drop_hint IS NOT NULL;

-- Rows are never deleted: evidence is used once, for ever.
CREATE TABLE attestation (
  id            INTEGER PRIMARY KEY,        -- in the order of the commits
  reference     TEXT NOT NULL UNIQUE,       -- id of an authorization or key id of a grant
  account       TEXT NOT NULL,              -- '' : of a grant that is not spent
  tenant        TEXT NOT NULL,
  agent         TEXT NOT NULL,
  evidence_hash BLOB NOT NULL UNIQUE,
  replay_id     TEXT UNIQUE,
  attestation   TEXT NOT NULL               -- JSON
) STRICT;
CREATE INDEX attestation_agent ON attestation (tenant, agent, id);

CREATE TABLE acme_grant (
  key_id     TEXT NOT NULL PRIMARY KEY,
  mac_key    BLOB NOT NULL,                 -- zeros once it is spent
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  account    TEXT                           -- that it was spent on
) STRICT, WITHOUT ROWID;

CREATE TABLE acme_approval (
  order_id   TEXT NOT NULL PRIMARY KEY REFERENCES acme_order (id),
  tenant     TEXT NOT NULL,
  agent      TEXT NOT NULL,
  csr        BLOB NOT NULL,
  decision   INTEGER NOT NULL,              -- 0 waiting, 1 granted, 2 denied
  asked_at   INTEGER NOT NULL,
  decided_by TEXT NOT NULL,
  reason     TEXT NOT NULL,
  decided_at INTEGER
) STRICT;
CREATE INDEX acme_approval_asked ON acme_approval (asked_at, order_id);
CREATE INDEX acme_approval_waiting ON acme_approval (asked_at, order_id) WHERE decision = 0;
