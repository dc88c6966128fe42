-- An append is plain when no entry of its id is there yet and no key has to be claimed: then it is one insert, and a
-- look at who has more than the cap. Whether it is plain, the insert itself finds out.
ALTER FUNCTION ara.queue_append(
  text[], uuid[], text[], float8[], text[], text[], integer[], text[], boolean[], integer, float8, float8, float8
) RENAME TO queue_append_stepwise;

-- Parameters and result as those of queue_append_stepwise, which it leaves to do what is not plain.
CREATE FUNCTION ara.queue_append(
  a_tenants text[], a_ids uuid[], a_priorities text[], a_expires_ms float8[], a_bodies text[], a_dedupe_keys text[],
  r_appends integer[], r_users text[], r_present boolean[],
  cap integer, now_ms float8, in_flight_seconds float8, dedupe_seconds float8
) RETURNS integer[] LANGUAGE plpgsql AS $$
DECLARE
  moment timestamptz := to_timestamp(now_ms / 1000);
  outcomes integer[] := array_fill(0, ARRAY[cardinality(a_ids)]);
  is_plain boolean := cardinality(array_remove(a_dedupe_keys, NULL)) = 0;
  r_tenants text[];
  added integer;
  entry record;
  pushed_out integer;
BEGIN
  IF is_plain THEN
    SELECT array_agg(a.tenant ORDER BY r.no) INTO r_tenants
    FROM unnest(r_appends) WITH ORDINALITY AS r (append, no)
    JOIN unnest(a_tenants) WITH ORDINALITY AS a (tenant, no) ON a.no = r.append;
    BEGIN
      PERFORM ara.lock_users(1, r_tenants, r_users);
      INSERT INTO ara.message_queue
        (tenant_id, user_id, notification_id, priority, event_data, queued_at, in_flight_until, expires_at)
      SELECT a.tenant, r.usr, a.id, a.priority, a.body, moment,
        CASE WHEN r.present THEN moment + make_interval(secs => in_flight_seconds) END, to_timestamp(a.expires_ms / 1000)
      FROM unnest(r_appends, r_users, r_present) WITH ORDINALITY AS r (append, usr, present, no)
      JOIN unnest(a_tenants, a_ids, a_priorities, a_bodies, a_expires_ms)
        WITH ORDINALITY AS a (tenant, id, priority, body, expires_ms, no) ON a.no = r.append
      ORDER BY r.no
      ON CONFLICT (tenant_id, user_id, notification_id) DO NOTHING;
      GET DIAGNOSTICS added = ROW_COUNT;
      IF added < cardinality(r_users) THEN
        RAISE EXCEPTION 'an id was there before' USING ERRCODE = 'AR001';
      END IF;
    EXCEPTION WHEN SQLSTATE 'AR001' THEN
      -- Nothing of it has happened.
      is_plain := false;
    END;
  END IF;
  IF NOT is_plain THEN
    RETURN ara.queue_append_stepwise(
      a_tenants, a_ids, a_priorities, a_expires_ms, a_bodies, a_dedupe_keys, r_appends, r_users, r_present,
      cap, now_ms, in_flight_seconds, dedupe_seconds
    );
  END IF;

  -- Entry by entry, as if each had come alone: which one goes depends on what was there before it.
  FOR entry IN
    WITH streams AS (
      SELECT DISTINCT r.tenant, r.usr FROM unnest(r_tenants, r_users) AS r (tenant, usr)
    ), full_streams AS MATERIALIZED (
      SELECT s.tenant, s.usr
      FROM streams AS s
      WHERE cap < (
        SELECT count(*)
        FROM (
          SELECT FROM ara.message_queue AS q
          WHERE q.tenant_id = s.tenant AND q.user_id = s.usr AND q.expires_at > moment
          LIMIT cap + 1
        ) AS held
      )
    )
    SELECT q.tenant_id, q.user_id, q.seq, r.append
    FROM full_streams AS f
    JOIN unnest(r_tenants, r_users, r_appends) AS r (tenant, usr, append) ON r.tenant = f.tenant AND r.usr = f.usr
    JOIN unnest(a_ids) WITH ORDINALITY AS a (id, no) ON a.no = r.append
    JOIN ara.message_queue AS q ON q.tenant_id = r.tenant AND q.user_id = r.usr AND q.notification_id = a.id
    ORDER BY q.seq
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
  RETURN outcomes;
END $$;
