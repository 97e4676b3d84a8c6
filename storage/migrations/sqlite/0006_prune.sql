-- What is over, in the order in which it may be deleted: storage/sql_prune.cc. From here on rows of
-- revocation_event are deleted, from the first on but never the last, and so are attestations.

CREATE INDEX acme_order_expiry ON acme_order (expires_at, id);
-- For the foreign key alone: an order that is deleted is looked for here.
CREATE INDEX acme_authorization_order ON acme_authorization (order_id);
CREATE INDEX acme_grant_expiry ON acme_grant (expires_at, key_id);
CREATE INDEX certificate_status_expiry ON certificate_status (not_after, serial) WHERE state <> 0;
