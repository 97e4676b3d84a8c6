-- Which keys were certified, and which of them must never be again.
ALTER TABLE certificate_body ADD COLUMN spki_sha256 BLOB;
CREATE INDEX certificate_body_key ON certificate_body (spki_sha256) WHERE spki_sha256 IS NOT NULL;

CREATE TABLE compromised_key (
  spki_sha256 BLOB NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;
