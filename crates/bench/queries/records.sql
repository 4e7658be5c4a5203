-- The same columns as a record has, and nothing that would make an insert slower.
CREATE TABLE records (
    event_id text, playback_id text, customer_id text, device_id text, device_os text, geo_region text, "from" bigint, "to" bigint
);
