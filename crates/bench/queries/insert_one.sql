\set view random(1, 100000)
\set moment random(1795446000000, 1795449600000)
INSERT INTO records VALUES (
    'keynote', 'playback-' || (:view)::text, 'customer-' || (:view / 2)::text, 'device-' || (:view)::text, 'iOS', 'TW-A', :moment::bigint, :moment::bigint + 10000
);
