-- As SQLite's 0006; see there. An index is made while writers wait.

CREATE INDEX acme_order_expiry ON acme_order (expires_at, id);
CREATE INDEX acme_grant_expiry ON acme_grant (expires_at, key_id);
CREATE INDEX certificate_status_expiry ON certificate_status (not_after, serial) WHERE state <> 0;
