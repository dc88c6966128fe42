import { Injectable } from '@nestjs/common';
import type { TenantId } from '../notification/ids';
import { PostgresService } from '../postgres/postgres.service';
import { type AckOutcome, type AckRef, AckStore, type AckTotals, type PendingAck, type Tracked } from './ack-store';

/** Rows that one statement of a sweep removes, so that none of them takes long. */
const ROWS_PER_SLICE = 1000;
/** What migrations/002_pending_acks.sql answers in place of a latency. */
const LATE = -1;

/** Acknowledgements in PostgreSQL. Each call is one statement and one transaction. */
@Injectable()
export class PostgresAckStore extends AckStore {
  readonly backend = 'postgres';

  constructor(private readonly postgres: PostgresService) {
    super();
  }

  async trackMany(pending: readonly PendingAck[]): Promise<Tracked> {
    if (pending.length === 0) return { fresh: 0, renewed: 0 };
    const [row] = await this.postgres.run<{ fresh: string; renewed: string }>(
      'ack_track',
      'SELECT fresh, renewed FROM ara.ack_expect($1, $2, $3, $4, $5)',
      [...columns(pending), pending.map(({ sentAt }) => sentAt), pending.map(({ expiresAt }) => expiresAt)],
    );
    return { fresh: Number(row?.fresh ?? 0), renewed: Number(row?.renewed ?? 0) };
  }

  async acknowledgeMany(refs: readonly AckRef[], now: number): Promise<AckOutcome[]> {
    if (refs.length === 0) return [];
    const [row] = await this.postgres.run<{ outcomes: number[] }>(
      'ack_settle',
      'SELECT ara.ack_settle($1, $2, $3, $4) AS outcomes',
      [...columns(refs), now],
    );
    return refs.map((_, index) => {
      const latencyMs = row?.outcomes[index];
      if (latencyMs === undefined || latencyMs < LATE) return { kind: 'unknown' };
      return latencyMs === LATE ? { kind: 'late' } : { kind: 'acked', latencyMs };
    });
  }

  async sweep(now: number): Promise<number> {
    let total = 0;
    for (let removed = ROWS_PER_SLICE; removed === ROWS_PER_SLICE; total += removed) {
      const [row] = await this.postgres.run<{ removed: string }>(
        'ack_sweep',
        'SELECT ara.ack_sweep($1, $2) AS removed',
        [now, ROWS_PER_SLICE],
      );
      removed = Number(row?.removed ?? 0);
    }
    return total;
  }

  async totals(tenant?: TenantId): Promise<AckTotals> {
    const [row] = await this.postgres.run<AckTotals>(
      'ack_totals',
      `WITH open AS (SELECT count(*) AS pending FROM ara.pending_acks WHERE $1::text IS NULL OR tenant_id = $1)
       SELECT (coalesce(sum(total_tracked), 0) + (SELECT pending FROM open))::float8 AS tracked,
         coalesce(sum(total_acked), 0)::float8 AS acked,
         coalesce(sum(total_expired), 0)::float8 AS expired,
         (SELECT pending FROM open)::float8 AS pending,
         coalesce(sum(total_latency_ms), 0)::float8 AS "totalLatencyMs"
       FROM ara.ack_stats WHERE $1::text IS NULL OR tenant_id = $1`,
      [tenant ?? null],
      'slow',
    );
    return row ?? { tracked: 0, acked: 0, expired: 0, pending: 0, totalLatencyMs: 0 };
  }

  open(): Promise<void> {
    return this.postgres.open();
  }

  close(): Promise<void> {
    // The connections are PostgresService's.
    return Promise.resolve();
  }
}

function columns(refs: readonly AckRef[]): [string[], string[], string[]] {
  return [refs.map(({ tenant }) => tenant), refs.map(({ notification }) => notification), refs.map(({ user }) => user)];
}
