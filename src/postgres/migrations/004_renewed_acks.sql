-- Expects acknowledgements. One that is pending keeps its first time; one whose time was over is counted as expired and
-- expected afresh. Says how many are new, and how many of those had expired here.
CREATE FUNCTION ara.ack_expect(
  tenants text[], notifications uuid[], users text[], sent_ms float8[], expires_ms float8[],
  OUT fresh bigint, OUT renewed bigint
) LANGUAGE plpgsql AS $$
DECLARE
  expired text[];
BEGIN
  PERFORM ara.lock_users(2, tenants, users);
  WITH asked AS (
    SELECT DISTINCT ON (tenant, notification, usr) *
    FROM unnest(tenants, notifications, users, sent_ms, expires_ms) WITH ORDINALITY
      AS t (tenant, notification, usr, sent, expires, no)
    ORDER BY tenant, notification, usr, no
  ), written AS (
    INSERT INTO ara.pending_acks AS p (tenant_id, notification_id, user_id, sent_at, expires_at)
    SELECT tenant, notification, usr, to_timestamp(sent / 1000), to_timestamp(expires / 1000) FROM asked
    ON CONFLICT (tenant_id, notification_id, user_id)
      DO UPDATE SET sent_at = EXCLUDED.sent_at, expires_at = EXCLUDED.expires_at
      WHERE p.expires_at <= EXCLUDED.sent_at
    -- A row that was there before carries the id of the transaction that locked it.
    RETURNING p.tenant_id, p.xmax <> 0 AS was_expired
  )
  SELECT count(*), array_agg(tenant_id) FILTER (WHERE was_expired) INTO fresh, expired FROM written;
  PERFORM ara.count_expired_acks(expired);
  renewed := coalesce(cardinality(expired), 0);
END $$;

-- What nodes of an older version call.
CREATE OR REPLACE FUNCTION ara.ack_track(
  tenants text[], notifications uuid[], users text[], sent_ms float8[], expires_ms float8[]
) RETURNS bigint LANGUAGE sql AS $$
  SELECT fresh FROM ara.ack_expect(tenants, notifications, users, sent_ms, expires_ms);
$$;
