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
