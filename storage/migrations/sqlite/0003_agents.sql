-- Who may hold which certificate, by which evidence: ca/agent_registry.h. Nested values are JSON
-- (storage/agent_codec.h).

CREATE TABLE evidence_source (
  name       TEXT NOT NULL PRIMARY KEY,
  definition TEXT NOT NULL                  -- JSON
) STRICT, WITHOUT ROWID;

CREATE TABLE admission_rule (
  name       TEXT NOT NULL PRIMARY KEY,
  source     TEXT NOT NULL REFERENCES evidence_source (name),
  definition TEXT NOT NULL                  -- JSON
) STRICT, WITHOUT ROWID;
CREATE INDEX admission_rule_source ON admission_rule (source);

CREATE TABLE agent (
  tenant       TEXT NOT NULL,
  name         TEXT NOT NULL,
  status       INTEGER NOT NULL,            -- 0 active, 1 suspended, 2 retired
  admitted_by  TEXT NOT NULL,               -- name of the rule, or ''
  version      INTEGER NOT NULL,
  created_at   INTEGER NOT NULL,
  changed_at   INTEGER NOT NULL,
  registration TEXT NOT NULL,               -- JSON
  PRIMARY KEY (tenant, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX agent_by_status ON agent (status, tenant, name);

-- The sources that agents need which are not retired.
CREATE TABLE agent_source (
  source TEXT NOT NULL REFERENCES evidence_source (name),
  tenant TEXT NOT NULL,
  name   TEXT NOT NULL,
  PRIMARY KEY (source, tenant, name),
  FOREIGN KEY (tenant, name) REFERENCES agent (tenant, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX agent_source_agent ON agent_source (tenant, name);

-- Tenant and name are '' for rules and sources. Rows are never changed or deleted: the next sequence
-- is the greatest and one, in the order of the commits.
CREATE TABLE agent_event (
  sequence INTEGER PRIMARY KEY,
  tenant   TEXT NOT NULL,
  name     TEXT NOT NULL,
  at       INTEGER NOT NULL,
  by       TEXT NOT NULL,
  what     TEXT NOT NULL,
  detail   TEXT NOT NULL
) STRICT;
CREATE INDEX agent_event_agent ON agent_event (tenant, name, sequence);
CREATE TRIGGER agent_event_stays BEFORE DELETE ON agent_event
  BEGIN SELECT RAISE(ABORT, 'history is never deleted'); END;
CREATE TRIGGER agent_event_is_final BEFORE UPDATE ON agent_event
  BEGIN SELECT RAISE(ABORT, 'history is never changed'); END;
