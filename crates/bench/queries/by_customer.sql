-- Watch time by customer. In the order of their starts, each span adds its part after the latest end so far.
WITH attended AS (
    SELECT
        customer_id,
        sum(greatest(0, ended - greatest(started, coalesce(covered, started)))) AS attended_ms
    FROM (
        SELECT
            customer_id, started, ended,
            max(ended) OVER (
                PARTITION BY viewer, customer_id ORDER BY started ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            ) AS covered
        FROM spans
    )
    GROUP BY customer_id
),
watched AS (
    SELECT
        customer_id,
        count(DISTINCT playback_id) AS views,
        count(DISTINCT viewer) AS viewers,
        count(DISTINCT device_id) AS devices,
        sum(ended - started) AS watch_ms
    FROM spans
    GROUP BY customer_id
)
SELECT
    watched.customer_id, views, viewers, devices,
    (watch_ms / 1000.0)::DECIMAL(18, 3) AS watch_seconds,
    (attended_ms / 1000.0)::DECIMAL(18, 3) AS attended_seconds
FROM watched JOIN attended ON watched.customer_id IS NOT DISTINCT FROM attended.customer_id
ORDER BY ALL NULLS FIRST
