-- Who is alive, who does what, and what one process made for all: ca/leases.h,
-- ca/shared_documents.h. Times of leases are milliseconds since 1970 by the database's clock.

CREATE TABLE node (
  id         TEXT NOT NULL PRIMARY KEY,     -- a process, as in the columns worker and holder
  name       TEXT NOT NULL,                 -- ca::NodeId: one process of it lives
  expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE duty (
  name       TEXT NOT NULL PRIMARY KEY,
  holder     TEXT NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE document (
  name    TEXT NOT NULL PRIMARY KEY,
  version INTEGER NOT NULL,
  content BLOB NOT NULL
) STRICT;

-- Whose work it is while it is processing, or an intent; NULL: nobody's.
ALTER TABLE acme_order ADD COLUMN worker TEXT;
ALTER TABLE acme_authorization ADD COLUMN worker TEXT;
ALTER TABLE certificate_body ADD COLUMN worker TEXT;
