-- An intent and the compromise of its key exclude each other by the row of the key's first octet:
-- storage/sql_certificates.cc. SQLite runs one verb at a time and has the rows for the statements
-- alone.
CREATE TABLE key_gate (
  id INTEGER PRIMARY KEY
) STRICT;
WITH RECURSIVE octet (value) AS (SELECT 0 UNION ALL SELECT value + 1 FROM octet WHERE value < 255)
INSERT INTO key_gate SELECT value FROM octet;
