import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { DEFAULT_PRIORITY, parsePriority } from '../notification/priority';
import type { NotificationId, TenantId } from '../notification/ids';
import { PostgresService } from '../postgres/postgres.service';
import {
  type Append,
  type AppendOutcome,
  DEDUPE_SECONDS,
  type EntryRef,
  IN_FLIGHT_SECONDS,
  type Position,
  type QueueSize,
  QueueStore,
  type StoredEntry,
  type StreamKey,
} from './queue-store';

/** Rows that one statement of a sweep removes, so that none of them takes long. */
const ROWS_PER_SLICE = 1000;

interface EntryRow {
  readonly seq: Position;
  readonly notification_id: NotificationId;
  readonly priority: string;
  readonly event_data: string;
  readonly attempts: number;
  readonly expires_ms: number;
}

interface Removed {
  readonly tenant_id: TenantId;
  readonly removed: string;
}

interface Statistics {
  enqueued: number;
  drained: number;
  expired: number;
}

const ENTRY = `q.seq, q.notification_id::text, q.priority, q.event_data, q.attempts,
  (extract(epoch FROM q.expires_at) * 1000)::float8 AS expires_ms`;

/**
 * The queue in PostgreSQL. Each call is one statement and one transaction; those of one user follow each other across all
 * nodes (see migrations/001_message_queue.sql). Rows are
 * found by index, O(log n) each; an append also counts its users' entries, each up to the cap.
 */
@Injectable()
export class PostgresQueueStore extends QueueStore {
  readonly backend = 'postgres';
  readonly #statistics = new Map<TenantId, Statistics>();
  #counting: Promise<QueueSize> | undefined;

  constructor(private readonly postgres: PostgresService) {
    super();
  }

  isDurable(): boolean {
    return this.postgres.isDurable;
  }

  async append(appends: readonly Append[], cap: number, now: number): Promise<AppendOutcome[]> {
    if (appends.length === 0) return [];
    const [row] = await this.postgres.run<{ outcomes: number[] }>(
      'queue_append',
      `SELECT ara.queue_append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) AS outcomes`,
      [
        appends.map(({ tenant }) => tenant),
        appends.map(({ body }) => body.id),
        appends.map(({ body }) => body.priority),
        appends.map(({ body }) => body.expiresAt),
        appends.map(({ body }) => body.json),
        appends.map(({ dedupeKey }) => (dedupeKey === undefined ? null : digest(dedupeKey))),
        appends.flatMap(({ users }, index) => users.map(() => index + 1)),
        appends.flatMap(({ users }) => users),
        appends.flatMap(({ users, present }) => users.map((_, at) => present.has(at))),
        cap,
        now,
        IN_FLIGHT_SECONDS,
        DEDUPE_SECONDS,
      ],
    );
    return appends.map(({ tenant, users }, index) => {
      const dropped = row?.outcomes[index] ?? 0;
      if (dropped < 0) return { kind: 'duplicate' };
      this.#statisticsOf(tenant).enqueued += users.length;
      return { kind: 'stored', dropped };
    });
  }

  async readAfter(
    { tenant, user }: StreamKey,
    after: Position | undefined,
    limit: number,
    now: number,
  ): Promise<readonly StoredEntry[]> {
    const rows = await this.postgres.run<EntryRow>(
      'queue_read',
      `SELECT ${ENTRY} FROM ara.message_queue AS q
       WHERE q.tenant_id = $1 AND q.user_id = $2 AND q.seq > $3 AND q.expires_at > to_timestamp($4 / 1000.0)
       ORDER BY q.seq LIMIT $5`,
      [tenant, user, after ?? '0', now, limit],
    );
    return rows.map(toEntry);
  }

  async readMany(
    streams: readonly StreamKey[],
    limit: number,
    now: number,
  ): Promise<readonly { readonly stream: StreamKey; readonly entries: readonly StoredEntry[] }[]> {
    if (streams.length === 0) return [];
    const rows = await this.postgres.run<EntryRow & { readonly stream: string }>(
      'queue_read_many',
      `SELECT s.no AS stream, q.*
       FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS s (tenant, usr, no)
       CROSS JOIN LATERAL (
         SELECT ${ENTRY} FROM ara.message_queue AS q
         WHERE q.tenant_id = s.tenant AND q.user_id = s.usr AND q.expires_at > to_timestamp($3 / 1000.0)
         ORDER BY q.seq LIMIT $4
       ) AS q
       ORDER BY s.no, q.seq`,
      [streams.map(({ tenant }) => tenant), streams.map(({ user }) => user), now, limit],
    );
    const entries = streams.map((): StoredEntry[] => []);
    for (const row of rows) entries[Number(row.stream) - 1]?.push(toEntry(row));
    return streams
      .map((stream, index) => ({ stream, entries: entries[index] ?? [] }))
      .filter(({ entries: found }) => found.length > 0);
  }

  async commit(entries: readonly EntryRef[]): Promise<number> {
    if (entries.length === 0) return 0;
    const removed = await this.postgres.run<Removed>(
      'queue_commit',
      'SELECT * FROM ara.queue_commit($1, $2, $3)',
      columns(entries),
    );
    return this.#count(removed, 'drained');
  }

  async recordDelivery(entries: readonly EntryRef[], maxDeliveries: number): Promise<number> {
    if (entries.length === 0) return 0;
    const [row] = await this.postgres.run<{ given_up: string }>(
      'queue_record_delivery',
      'SELECT ara.queue_record_delivery($1, $2, $3, $4) AS given_up',
      [...columns(entries), maxDeliveries],
    );
    return Number(row?.given_up ?? 0);
  }

  async sweep(now: number): Promise<number> {
    let total = 0;
    for (let removed = ROWS_PER_SLICE; removed === ROWS_PER_SLICE; total += removed) {
      const rows = await this.postgres.run<Removed>('queue_sweep', 'SELECT * FROM ara.queue_sweep($1, $2)', [
        now,
        ROWS_PER_SLICE,
      ]);
      removed = this.#count(rows, 'expired');
    }
    for (let removed = ROWS_PER_SLICE; removed === ROWS_PER_SLICE;) {
      const [row] = await this.postgres.run<{ removed: string }>(
        'queue_sweep_dedupe',
        'SELECT ara.dedupe_sweep($1, $2) AS removed',
        [now, ROWS_PER_SLICE],
      );
      removed = Number(row?.removed ?? 0);
    }
    await this.#writeStatistics();
    return total;
  }

  /** O(entries) in the database; callers at the same time share one answer. */
  size(now: number): Promise<QueueSize> {
    this.#counting ??= this.#countEntries(now).finally(() => (this.#counting = undefined));
    return this.#counting;
  }

  open(): Promise<void> {
    return this.postgres.open();
  }

  async close(): Promise<void> {
    // Figures for operators: not worth a failed shutdown.
    await this.#writeStatistics().catch(() => undefined);
  }

  async #countEntries(now: number): Promise<QueueSize> {
    const [row] = await this.postgres.run<{ messages: string; users: string }>(
      'queue_size',
      `SELECT coalesce(sum(entries), 0)::bigint AS messages, count(*) AS users
       FROM (
         SELECT count(*) AS entries FROM ara.message_queue
         WHERE expires_at > to_timestamp($1 / 1000.0) GROUP BY tenant_id, user_id
       ) AS streams`,
      [now],
      'slow',
    );
    return { messages: Number(row?.messages ?? 0), users: Number(row?.users ?? 0) };
  }

  #count(rows: readonly Removed[], what: 'drained' | 'expired'): number {
    let total = 0;
    for (const { tenant_id: tenant, removed } of rows) {
      this.#statisticsOf(tenant)[what] += Number(removed);
      total += Number(removed);
    }
    return total;
  }

  #statisticsOf(tenant: TenantId): Statistics {
    let statistics = this.#statistics.get(tenant);
    if (statistics === undefined) {
      statistics = { enqueued: 0, drained: 0, expired: 0 };
      this.#statistics.set(tenant, statistics);
    }
    return statistics;
  }

  /** Now and then, because a row per tenant that every append wrote would make them all wait for each other. */
  async #writeStatistics(): Promise<void> {
    const written = [...this.#statistics];
    this.#statistics.clear();
    for (const [tenant, { enqueued, drained, expired }] of written) {
      await this.postgres.run('queue_stats', 'SELECT ara.upsert_queue_stats($1, $2, $3, $4)', [
        tenant,
        enqueued,
        drained,
        expired,
      ]);
    }
  }
}

function toEntry(row: EntryRow): StoredEntry {
  return {
    id: row.notification_id,
    priority: parsePriority(row.priority) ?? DEFAULT_PRIORITY,
    expiresAt: row.expires_ms,
    json: row.event_data,
    position: row.seq,
    deliveries: row.attempts,
  };
}

function columns(entries: readonly EntryRef[]): [string[], string[], string[]] {
  return [entries.map(({ tenant }) => tenant), entries.map(({ user }) => user), entries.map(({ id }) => id)];
}

/** A key may be any text of any length; an index entry may not. */
function digest(key: string): string {
  return createHash('sha256').update(key).digest('base64');
}
