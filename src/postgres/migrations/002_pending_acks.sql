-- Acknowledgements that are awaited, and what became of the others.

CREATE TABLE ara.pending_acks (
  tenant_id       text COLLATE "C" NOT NULL DEFAULT 'default',
  notification_id uuid NOT NULL,
  user_id         text COLLATE "C" NOT NULL,
  sent_at         timestamptz NOT NULL,
  expires_at      timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, notification_id, user_id)
)
WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);

CREATE INDEX pending_acks_expiry ON ara.pending_acks (expires_at);

-- Rows count what is settled. What is still pending has no share in them, so that tracking need not write here:
-- tracked so far = total_tracked + pending.
CREATE TABLE ara.ack_stats (
  tenant_id        text COLLATE "C" PRIMARY KEY,
  total_tracked    bigint NOT NULL DEFAULT 0,
  total_acked      bigint NOT NULL DEFAULT 0,
  total_expired    bigint NOT NULL DEFAULT 0,
  total_latency_ms bigint NOT NULL DEFAULT 0,
  last_updated_at  timestamptz NOT NULL DEFAULT now()
);

CREATE FUNCTION ara.upsert_ack_stats(tenant text, tracked bigint, acked bigint, expired bigint, latency_ms bigint)
RETURNS void LANGUAGE sql AS $$
  INSERT INTO ara.ack_stats AS s (tenant_id, total_tracked, total_acked, total_expired, total_latency_ms)
  VALUES (tenant, tracked, acked, expired, latency_ms)
  ON CONFLICT (tenant_id) DO UPDATE SET
    total_tracked = s.total_tracked + EXCLUDED.total_tracked,
    total_acked = s.total_acked + EXCLUDED.total_acked,
    total_expired = s.total_expired + EXCLUDED.total_expired,
    total_latency_ms = s.total_latency_ms + EXCLUDED.total_latency_ms,
    last_updated_at = now();
$$;

-- One per element of the array, which may be empty or NULL. Tenants are counted in one order, so that two callers never
-- wait for each other.
CREATE FUNCTION ara.count_expired_acks(tenants text[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM ara.upsert_ack_stats(s.tenant, s.expired, 0, s.expired, 0)
  FROM (
    SELECT tenant, count(*) AS expired FROM unnest(tenants) AS t (tenant) GROUP BY tenant ORDER BY tenant COLLATE "C"
  ) AS s;
END $$;

-- Expects acknowledgements. One that is pending keeps its first time; one whose time was over is counted as expired and
-- expected afresh. Returns how many are new.
CREATE FUNCTION ara.ack_track(tenants text[], notifications uuid[], users text[], sent_ms float8[], expires_ms float8[])
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  fresh bigint;
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
  RETURN fresh;
END $$;

-- Settles acknowledgements. Returns one number per element: the latency in ms; -1: too late; -2: not pending.
CREATE FUNCTION ara.ack_settle(tenants text[], notifications uuid[], users text[], now_ms float8)
RETURNS float8[] LANGUAGE plpgsql AS $$
DECLARE
  moment timestamptz := to_timestamp(now_ms / 1000);
  outcomes float8[];
BEGIN
  PERFORM ara.lock_users(2, tenants, users);
  WITH gone AS (
    DELETE FROM ara.pending_acks AS p WHERE p.ctid = ANY (ARRAY(
      SELECT held.ctid
      FROM unnest(tenants, notifications, users) AS r (tenant, notification, usr)
      CROSS JOIN LATERAL (
        SELECT q.ctid FROM ara.pending_acks AS q
        WHERE q.tenant_id = r.tenant AND q.notification_id = r.notification AND q.user_id = r.usr
        OFFSET 0
      ) AS held
    ))
    RETURNING p.tenant_id, p.notification_id, p.user_id,
      CASE WHEN p.expires_at <= moment THEN -1 ELSE greatest(0, round(extract(epoch FROM moment - p.sent_at) * 1000)) END AS outcome
  ), asked AS (
    SELECT r.*, row_number() OVER (PARTITION BY tenant, notification, usr ORDER BY no) AS nth
    FROM unnest(tenants, notifications, users) WITH ORDINALITY AS r (tenant, notification, usr, no)
  )
  SELECT array_agg(coalesce(g.outcome, -2) ORDER BY a.no) INTO outcomes
  FROM asked AS a LEFT JOIN gone AS g
    ON g.tenant_id = a.tenant AND g.notification_id = a.notification AND g.user_id = a.usr AND a.nth = 1;

  PERFORM ara.upsert_ack_stats(s.tenant, s.acked + s.late, s.acked, s.late, s.latency_ms)
  FROM (
    SELECT o.tenant, count(*) FILTER (WHERE o.outcome >= 0) AS acked, count(*) FILTER (WHERE o.outcome = -1) AS late,
      coalesce(sum(o.outcome) FILTER (WHERE o.outcome >= 0), 0)::bigint AS latency_ms
    FROM unnest(tenants, outcomes) AS o (tenant, outcome)
    WHERE o.outcome > -2
    GROUP BY o.tenant
    ORDER BY o.tenant COLLATE "C"
  ) AS s;
  RETURN outcomes;
END $$;

-- Removes at most max_rows that have expired, and counts them. Rows that somebody settles right now are left to them.
CREATE FUNCTION ara.ack_sweep(now_ms float8, max_rows integer)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  swept text[];
BEGIN
  WITH gone AS (
    DELETE FROM ara.pending_acks WHERE ctid = ANY (ARRAY(
      SELECT ctid FROM ara.pending_acks
      WHERE expires_at <= to_timestamp(now_ms / 1000)
      ORDER BY expires_at
      LIMIT max_rows
      FOR UPDATE SKIP LOCKED
    ))
    RETURNING tenant_id
  )
  SELECT coalesce(array_agg(tenant_id), '{}') INTO swept FROM gone;
  PERFORM ara.count_expired_acks(swept);
  RETURN cardinality(swept);
END $$;
