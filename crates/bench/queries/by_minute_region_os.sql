-- Watch time by minute, region and system. A span counts at its start and its end; the minutes between come from running
-- sums, so no span is multiplied by its minutes.
WITH identities AS (
    SELECT 'view' AS kind, playback_id AS identity, geo_region, device_os, started, ended FROM spans
    UNION ALL
    SELECT 'viewer', viewer, geo_region, device_os, started, ended FROM spans
    UNION ALL
    SELECT 'device', device_id, geo_region, device_os, started, ended FROM spans WHERE device_id IS NOT NULL
),
covered AS (
    SELECT *, max(ended) OVER (
        PARTITION BY kind, identity, geo_region, device_os ORDER BY started ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ) AS until
    FROM identities
),
-- Each span keeps its part after the latest end so far, so the spans of one viewer do not overlap.
apart AS (
    SELECT
        kind, geo_region, device_os, ended,
        greatest(started, coalesce(until, started)) AS started,
        (until - 1) // 60000 AS counted_until
    FROM covered
    WHERE until IS NULL OR until < ended
),
minutes AS (
    SELECT
        *,
        started // 60000 AS first,
        (ended - 1) // 60000 AS last,
        -- A minute in which the identity was already counted does not count it again.
        greatest(started // 60000, coalesce(counted_until + 1, 0)) AS counted_from
    FROM apart
),
edges AS (
    SELECT kind, geo_region, device_os, counted_from AS minute, 1 AS identities, 0 AS full_ms, 0 AS part_ms
    FROM minutes WHERE counted_from <= last
    UNION ALL
    SELECT kind, geo_region, device_os, last + 1, -1, 0, 0 FROM minutes WHERE counted_from <= last
    UNION ALL
    SELECT kind, geo_region, device_os, first, 0, 0, least(ended, (first + 1) * 60000) - started FROM minutes
    UNION ALL
    SELECT kind, geo_region, device_os, first + 1, 0, 60000, 0 FROM minutes WHERE last > first
    UNION ALL
    SELECT kind, geo_region, device_os, last, 0, -60000, ended - last * 60000 FROM minutes WHERE last > first
),
changes AS (
    SELECT
        geo_region, device_os, minute,
        sum(identities) FILTER (kind = 'view') AS views,
        sum(identities) FILTER (kind = 'viewer') AS viewers,
        sum(identities) FILTER (kind = 'device') AS devices,
        sum(full_ms) FILTER (kind = 'view') AS watch_ms,
        sum(part_ms) FILTER (kind = 'view') AS watch_part_ms,
        sum(full_ms) FILTER (kind = 'viewer') AS attended_ms,
        sum(part_ms) FILTER (kind = 'viewer') AS attended_part_ms
    FROM edges
    GROUP BY geo_region, device_os, minute
),
levels AS (
    SELECT
        geo_region, device_os, minute, watch_part_ms, attended_part_ms,
        sum(views) OVER run AS views,
        sum(viewers) OVER run AS viewers,
        sum(devices) OVER run AS devices,
        sum(watch_ms) OVER run AS watch_ms,
        sum(attended_ms) OVER run AS attended_ms,
        lead(minute) OVER (PARTITION BY geo_region, device_os ORDER BY minute) AS next
    FROM changes
    WINDOW run AS (PARTITION BY geo_region, device_os ORDER BY minute)
),
filled AS (
    SELECT *, unnest(range(minute, coalesce(next, minute + 1))) AS bucket FROM levels WHERE views > 0
)
SELECT
    strftime(make_timestamp(bucket * 60000000), '%Y-%m-%dT%H:%M:%S.%gZ') AS watch_timestamp,
    geo_region, device_os,
    views, viewers, coalesce(devices, 0) AS devices,
    ((watch_ms + if(bucket = minute, coalesce(watch_part_ms, 0), 0)) / 1000.0)::DECIMAL(18, 3) AS watch_seconds,
    ((attended_ms + if(bucket = minute, coalesce(attended_part_ms, 0), 0)) / 1000.0)::DECIMAL(18, 3) AS attended_seconds
FROM filled
ORDER BY ALL NULLS FIRST
