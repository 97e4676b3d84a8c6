-- As SQLite's 0005; see there.

CREATE TABLE node (
  id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  name       TEXT COLLATE "C" NOT NULL,
  expires_at BIGINT NOT NULL
);

CREATE TABLE duty (
  name       TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  holder     TEXT COLLATE "C" NOT NULL,
  expires_at BIGINT NOT NULL
);

CREATE TABLE document (
  name    TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  version BIGINT NOT NULL,
  content BYTEA NOT NULL
);

ALTER TABLE acme_order ADD COLUMN worker TEXT COLLATE "C";
ALTER TABLE acme_authorization ADD COLUMN worker TEXT COLLATE "C";
ALTER TABLE certificate_body ADD COLUMN worker TEXT COLLATE "C";

-- Nonces that were spent at any node (storage/sql_nonces.h), which SQLite leaves to its one process.
-- Unlogged: a server that did not shut down cleanly empties both tables, so that what it forgot is
-- of an epoch that is gone.
CREATE UNLOGGED TABLE spent_nonce (
  value BYTEA NOT NULL PRIMARY KEY           -- begins with the time at which it was minted
);
CREATE UNLOGGED TABLE nonce_epoch (
  id            BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
  epoch         BIGINT NOT NULL,
  pruned_before BIGINT NOT NULL
);

CREATE TABLE shared_key (
  purpose TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  key     BYTEA NOT NULL
);
