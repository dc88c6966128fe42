-- The offline queue: one row per notification and user, in the order in which a user's notifications were kept.
-- Everything of Ara lies in a schema of its own, so that it can share a database with other programs.

CREATE TABLE ara.message_queue (
  -- The position in the user's stream. Appends to one stream follow each other (lock_users), so that a later position
  -- never becomes visible before an earlier one.
  seq             bigint GENERATED ALWAYS AS IDENTITY,
  tenant_id       text COLLATE "C" NOT NULL DEFAULT 'default',
  user_id         text COLLATE "C" NOT NULL,
  notification_id uuid NOT NULL,
  v               smallint NOT NULL DEFAULT 1,
  priority        text NOT NULL,
  -- Text, not a JSON type: what was accepted comes out byte for byte.
  event_data      text NOT NULL,
  -- Connections that took it so far.
  attempts        integer NOT NULL DEFAULT 0,
  queued_at       timestamptz NOT NULL,
  -- Until then it is assumed to be on its way to an open connection: the cap removes it last.
  in_flight_until timestamptz,
  expires_at      timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, user_id, notification_id)
)
-- Rows live for moments: leave room to update them in place, and do not wait for a fifth of them to be dead.
WITH (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);

CREATE INDEX message_queue_stream ON ara.message_queue (tenant_id, user_id, seq);
CREATE INDEX message_queue_expiry ON ara.message_queue (expires_at);

-- Publishers' messages that were taken lately. Keys are hashes: publishers' own have no limit of length.
CREATE TABLE ara.dedupe_keys (
  tenant_id  text COLLATE "C" NOT NULL,
  dedupe_key text COLLATE "C" NOT NULL,
  expires_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, dedupe_key)
)
WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);

CREATE INDEX dedupe_keys_expiry ON ara.dedupe_keys (expires_at);

CREATE TABLE ara.queue_stats (
  tenant_id       text COLLATE "C" PRIMARY KEY,
  total_enqueued  bigint NOT NULL DEFAULT 0,
  total_drained   bigint NOT NULL DEFAULT 0,
  total_expired   bigint NOT NULL DEFAULT 0,
  last_updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE FUNCTION ara.upsert_queue_stats(tenant text, enqueued bigint, drained bigint, expired bigint)
RETURNS void LANGUAGE sql AS $$
  INSERT INTO ara.queue_stats AS s (tenant_id, total_enqueued, total_drained, total_expired)
  VALUES (tenant, enqueued, drained, expired)
  ON CONFLICT (tenant_id) DO UPDATE SET
    total_enqueued = s.total_enqueued + EXCLUDED.total_enqueued,
    total_drained = s.total_drained + EXCLUDED.total_drained,
    total_expired = s.total_expired + EXCLUDED.total_expired,
    last_updated_at = now();
$$;

-- Who changes rows of users holds their locks until the end of the transaction, so that changes of one user follow each
-- other. Locks are taken in one order, so that two callers never wait for each other. The server's table of locks is
-- small: a large batch takes the whole subject (1: queue, 2: acknowledgements) instead, which the others share.
CREATE FUNCTION ara.lock_users(subject integer, tenants text[], users text[])
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF cardinality(users) > 500 THEN
    PERFORM pg_advisory_xact_lock(417, subject);
  ELSE
    PERFORM pg_advisory_xact_lock_shared(417, subject);
    PERFORM pg_advisory_xact_lock(named.lock)
    FROM (
      SELECT DISTINCT hashtextextended(t.tenant || ':' || t.usr, subject) AS lock
      FROM unnest(tenants, users) AS t (tenant, usr)
      ORDER BY 1
    ) AS named;
  END IF;
END $$;

-- Appends notifications to streams, all or none.
-- a_*: one element per append. r_*: one per recipient, in the order of the appends; r_append counts from 1.
-- Returns per append how many entries of others the cap pushed out, those in flight not counted; -1: its key was claimed before.
CREATE FUNCTION ara.queue_append(
  a_tenants text[], a_ids uuid[], a_priorities text[], a_expires_ms float8[], a_bodies text[], a_dedupe_keys text[],
  r_appends integer[], r_users text[], r_present boolean[],
  cap integer, now_ms float8, in_flight_seconds float8, dedupe_seconds float8
) RETURNS integer[] LANGUAGE plpgsql AS $$
DECLARE
  moment timestamptz := to_timestamp(now_ms / 1000);
  outcomes integer[];
  r_tenants text[];
  r_ids uuid[];
  r_nth bigint[];
  rounds bigint;
  expired_rows tid[];
  is_stepwise boolean;
  is_held boolean;
  new_tenants text[];
  new_users text[];
  new_seqs bigint[];
  new_appends integer[];
  entry record;
  pushed_out integer;
BEGIN
  WITH asked AS (
    SELECT a.no, a.tenant, a.dedupe_key, row_number() OVER (PARTITION BY a.tenant, a.dedupe_key ORDER BY a.no) AS nth
    FROM unnest(a_tenants, a_dedupe_keys) WITH ORDINALITY AS a (tenant, dedupe_key, no)
  ), claimed AS (
    INSERT INTO ara.dedupe_keys AS d (tenant_id, dedupe_key, expires_at)
    SELECT tenant, dedupe_key, moment + make_interval(secs => dedupe_seconds)
    FROM asked
    WHERE dedupe_key IS NOT NULL AND nth = 1
    ORDER BY tenant COLLATE "C", dedupe_key COLLATE "C"
    ON CONFLICT (tenant_id, dedupe_key) DO UPDATE SET expires_at = EXCLUDED.expires_at WHERE d.expires_at <= moment
    RETURNING d.tenant_id, d.dedupe_key
  )
  SELECT array_agg(CASE WHEN a.dedupe_key IS NULL OR (c.dedupe_key IS NOT NULL AND a.nth = 1) THEN 0 ELSE -1 END ORDER BY a.no)
  INTO outcomes
  FROM asked AS a LEFT JOIN claimed AS c ON c.tenant_id = a.tenant AND c.dedupe_key = a.dedupe_key;

  SELECT array_agg(r.tenant ORDER BY r.no), array_agg(r.id ORDER BY r.no), array_agg(r.nth ORDER BY r.no), max(r.nth),
    count(*) > count(DISTINCT (r.tenant, r.usr, r.id))
  INTO r_tenants, r_ids, r_nth, rounds, is_stepwise
  FROM (
    SELECT r.no, a.tenant, r.usr, a.id, row_number() OVER (PARTITION BY a.tenant, r.usr ORDER BY r.no) AS nth
    FROM unnest(r_appends, r_users) WITH ORDINALITY AS r (append, usr, no)
    JOIN unnest(a_tenants, a_ids) WITH ORDINALITY AS a (tenant, id, no) ON a.no = r.append
  ) AS r;
  PERFORM ara.lock_users(1, r_tenants, r_users);

  SELECT array_agg(held.ctid) FILTER (WHERE held.is_expired), coalesce(bool_or(NOT held.is_expired), false)
  INTO expired_rows, is_held
  FROM unnest(r_tenants, r_users, r_ids) AS r (tenant, usr, id)
  CROSS JOIN LATERAL (
    SELECT q.ctid, q.expires_at <= moment AS is_expired FROM ara.message_queue AS q
    WHERE q.tenant_id = r.tenant AND q.user_id = r.usr AND q.notification_id = r.id
    OFFSET 0
  ) AS held;
  -- What has expired does not hold its id any more, but stays, under any other, for the sweep to count it.
  UPDATE ara.message_queue SET notification_id = gen_random_uuid() WHERE ctid = ANY (expired_rows);

  -- An append that is repeated changes nothing while its entry is there, and it may be pushed out just before: only then
  -- do several appends to one stream have to be made one after the other.
  is_stepwise := is_stepwise OR is_held;
  IF NOT is_stepwise THEN
    rounds := 1;
  END IF;

  FOR round IN 1..coalesce(rounds, 0) LOOP
    WITH wanted AS (
      SELECT r.no, r.append, a.tenant, r.usr, a.id, a.priority, a.body, a.expires_ms, r.present
      FROM unnest(r_appends, r_users, r_present, r_nth) WITH ORDINALITY AS r (append, usr, present, nth, no)
      JOIN unnest(a_tenants, a_ids, a_priorities, a_bodies, a_expires_ms, outcomes)
        WITH ORDINALITY AS a (tenant, id, priority, body, expires_ms, outcome, no) ON a.no = r.append
      WHERE a.outcome >= 0 AND (NOT is_stepwise OR r.nth = round)
    ), added AS (
      INSERT INTO ara.message_queue
        (tenant_id, user_id, notification_id, priority, event_data, queued_at, in_flight_until, expires_at)
      SELECT tenant, usr, id, priority, body, moment,
        CASE WHEN present THEN moment + make_interval(secs => in_flight_seconds) END, to_timestamp(expires_ms / 1000)
      FROM wanted
      ORDER BY no
      ON CONFLICT (tenant_id, user_id, notification_id) DO NOTHING
      RETURNING tenant_id, user_id, notification_id, seq
    )
    SELECT array_agg(n.tenant_id), array_agg(n.user_id), array_agg(n.seq), array_agg(w.append)
    INTO new_tenants, new_users, new_seqs, new_appends
    FROM added AS n JOIN wanted AS w ON w.tenant = n.tenant_id AND w.usr = n.user_id AND w.id = n.notification_id;

    -- Entry by entry, as if each had come alone: which one goes depends on what was there before it.
    FOR entry IN
      SELECT n.tenant_id, n.user_id, n.seq, n.append
      FROM unnest(new_tenants, new_users, new_seqs, new_appends) AS n (tenant_id, user_id, seq, append)
      WHERE cap < (
        SELECT count(*)
        FROM (
          SELECT FROM ara.message_queue AS q
          WHERE q.tenant_id = n.tenant_id AND q.user_id = n.user_id AND q.expires_at > moment
          LIMIT cap + 1
        ) AS held
      )
      ORDER BY n.seq
    LOOP
      WITH held AS (
        SELECT q.ctid, q.seq, coalesce(q.in_flight_until > moment, false) AS in_flight, count(*) OVER () AS total
        FROM ara.message_queue AS q
        WHERE q.tenant_id = entry.tenant_id AND q.user_id = entry.user_id AND q.expires_at > moment AND q.seq <= entry.seq
      ), victims AS (
        SELECT ctid FROM held ORDER BY seq = entry.seq, in_flight, seq LIMIT (SELECT greatest(0, max(total) - cap) FROM held)
      ), removed AS (
        DELETE FROM ara.message_queue WHERE ctid = ANY (ARRAY(SELECT ctid FROM victims))
        RETURNING coalesce(in_flight_until > moment, false) AS in_flight
      )
      SELECT count(*) FILTER (WHERE NOT in_flight) INTO pushed_out FROM removed;
      outcomes[entry.append] := outcomes[entry.append] + pushed_out;
    END LOOP;
  END LOOP;

  RETURN outcomes;
END $$;

-- Commits: removes entries for good. Returns how many were there, per tenant.
CREATE FUNCTION ara.queue_commit(tenants text[], users text[], ids uuid[])
RETURNS TABLE (tenant_id text, removed bigint) LANGUAGE plpgsql AS $$
BEGIN
  PERFORM ara.lock_users(1, tenants, users);
  RETURN QUERY
  WITH gone AS (
    DELETE FROM ara.message_queue AS m WHERE m.ctid = ANY (ARRAY(
      SELECT held.ctid
      FROM unnest(tenants, users, ids) AS e (tenant, usr, id)
      CROSS JOIN LATERAL (
        SELECT q.ctid FROM ara.message_queue AS q
        WHERE q.tenant_id = e.tenant AND q.user_id = e.usr AND q.notification_id = e.id
        OFFSET 0
      ) AS held
    ))
    RETURNING m.tenant_id
  )
  SELECT g.tenant_id, count(*) FROM gone AS g GROUP BY g.tenant_id;
END $$;

-- Counts one more connection that took each entry; an entry named twice was taken by two.
-- Removes those that reach max_deliveries, and returns how many that were.
CREATE FUNCTION ara.queue_record_delivery(tenants text[], users text[], ids uuid[], max_deliveries integer)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  given_up bigint;
BEGIN
  PERFORM ara.lock_users(1, tenants, users);
  WITH taken AS (
    SELECT held.ctid, e.connections, held.attempts + e.connections >= max_deliveries AS is_last
    FROM (
      SELECT tenant, usr, id, count(*)::integer AS connections
      FROM unnest(tenants, users, ids) AS t (tenant, usr, id)
      GROUP BY tenant, usr, id
    ) AS e
    CROSS JOIN LATERAL (
      SELECT q.ctid, q.attempts FROM ara.message_queue AS q
      WHERE q.tenant_id = e.tenant AND q.user_id = e.usr AND q.notification_id = e.id
      OFFSET 0
    ) AS held
  ), counted AS (
    UPDATE ara.message_queue AS m SET attempts = m.attempts + t.connections
    FROM taken AS t WHERE m.ctid = t.ctid AND NOT t.is_last
  ), gone AS (
    DELETE FROM ara.message_queue WHERE ctid = ANY (ARRAY(SELECT ctid FROM taken WHERE is_last)) RETURNING 1
  )
  SELECT count(*) INTO given_up FROM gone;
  RETURN given_up;
END $$;

-- Removes at most max_rows entries that have expired. Rows that somebody changes right now are left for the next time.
-- Returns how many it removed, per tenant.
CREATE FUNCTION ara.queue_sweep(now_ms float8, max_rows integer)
RETURNS TABLE (tenant_id text, removed bigint) LANGUAGE sql AS $$
  WITH gone AS (
    DELETE FROM ara.message_queue AS m WHERE m.ctid = ANY (ARRAY(
      SELECT q.ctid FROM ara.message_queue AS q
      WHERE q.expires_at <= to_timestamp(now_ms / 1000)
      ORDER BY q.expires_at
      LIMIT max_rows
      FOR UPDATE SKIP LOCKED
    ))
    RETURNING m.tenant_id
  )
  SELECT g.tenant_id, count(*) FROM gone AS g GROUP BY g.tenant_id;
$$;

-- Forgets at most max_rows publishers' messages that are old enough; returns how many.
CREATE FUNCTION ara.dedupe_sweep(now_ms float8, max_rows integer)
RETURNS bigint LANGUAGE sql AS $$
  WITH gone AS (
    DELETE FROM ara.dedupe_keys WHERE ctid = ANY (ARRAY(
      SELECT ctid FROM ara.dedupe_keys
      WHERE expires_at <= to_timestamp(now_ms / 1000)
      ORDER BY expires_at
      LIMIT max_rows
      FOR UPDATE SKIP LOCKED
    ))
    RETURNING 1
  )
  SELECT count(*) FROM gone;
$$;
