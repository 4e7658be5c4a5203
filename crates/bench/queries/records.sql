-- The columns of a record, without an index or a constraint.
CREATE TABLE records (
    event_id text, playback_id text, customer_id text, device_id text, device_os text, geo_region text, "from" bigint, "to" bigint
);
