-- The first step of every report: the united spans of each view, with its attributes and viewer.
--
-- Starts and ends of a view are sorted apart. There is a gap exactly where the next start is after the end before it. So
-- one grouping and one pass over its lists replace a window, which would sort every record.
CREATE TEMP TABLE spans AS
WITH views AS (
    SELECT
        playback_id,
        min(nullif(customer_id, '')) AS customer_id,
        min(nullif(device_id, '')) AS device_id,
        min(nullif(device_os, '')) AS device_os,
        min(nullif(geo_region, '')) AS geo_region,
        list_sort(list("from")) AS starts,
        list_sort(list("to")) AS ends
    FROM records
    GROUP BY playback_id
),
steps AS (
    SELECT
        * EXCLUDE (starts, ends),
        unnest(starts) AS started,
        unnest(list_prepend(NULL, ends)) AS ended_before
    FROM views
),
edges AS (
    -- The last step has an end and no start.
    SELECT * FROM steps WHERE ended_before IS NULL OR started IS NULL OR started > ended_before
),
paired AS (
    SELECT
        * EXCLUDE (ended_before),
        lead(ended_before) OVER (PARTITION BY playback_id ORDER BY started NULLS LAST) AS ended
    FROM edges
)
SELECT
    *,
    coalesce('c' || customer_id, 'd' || device_id, 'p' || playback_id) AS viewer
FROM paired
WHERE started IS NOT NULL;
