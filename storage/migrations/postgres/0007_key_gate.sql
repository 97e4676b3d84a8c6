-- As SQLite's 0007; see there.

CREATE TABLE key_gate (
  id BIGINT NOT NULL PRIMARY KEY
);
INSERT INTO key_gate SELECT generate_series(0, 255);
