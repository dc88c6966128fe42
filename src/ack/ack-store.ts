import type { NotificationId, TenantId, UserId } from '../notification/ids';

/** One expected acknowledgement: one per notification and user, whatever the number of devices. */
export interface AckRef {
  readonly tenant: TenantId;
  readonly notification: NotificationId;
  readonly user: UserId;
}

export interface PendingAck extends AckRef {
  /** Milliseconds since the epoch. */
  readonly sentAt: number;
  readonly expiresAt: number;
}

export interface Tracked {
  /** How many are awaited now that were not before. */
  readonly fresh: number;
  /** Those among them that were awaited before, until their time was over. */
  readonly renewed: number;
}

export type AckOutcome =
  /** It was pending and in time; it is not any more. */
  | { readonly kind: 'acked'; readonly latencyMs: number }
  /** It was pending but its time was over; it is removed and counted as expired. */
  | { readonly kind: 'late' }
  /** Not pending: never tracked, acknowledged before, swept, or another user's. */
  | { readonly kind: 'unknown' };

/** Totals over all nodes that share the store, since it was created. */
export interface AckTotals {
  readonly tracked: number;
  readonly acked: number;
  readonly expired: number;
  readonly pending: number;
  readonly totalLatencyMs: number;
}

/**
 * Remembers which acknowledgements are awaited. Dumb and batch-first like QueueStore, with the same two kinds of
 * rejection. Times come from the caller's clock.
 */
export abstract class AckStore {
  abstract readonly backend: 'none' | 'memory' | 'redis' | 'postgres';

  /**
   * Tracks each; one that is pending already keeps its first `sentAt` and is not counted again, unless its time was over
   * by the new `sentAt`: then it counts as expired and is tracked afresh.
   */
  abstract trackMany(pending: readonly PendingAck[]): Promise<Tracked>;

  /** Settles each, in order; the same ref twice in one call is `acked` once, then `unknown`. */
  abstract acknowledgeMany(refs: readonly AckRef[], now: number): Promise<AckOutcome[]>;

  /** Removes what has expired and counts it; says how many. */
  abstract sweep(now: number): Promise<number>;

  /** Totals of one tenant, or of all. */
  abstract totals(tenant?: TenantId): Promise<AckTotals>;

  abstract open(): Promise<void>;

  abstract close(): Promise<void>;
}

/** Stands in while ACK tracking is off. */
export class NullAckStore extends AckStore {
  readonly backend = 'none';

  trackMany(): Promise<Tracked> {
    return Promise.resolve({ fresh: 0, renewed: 0 });
  }

  acknowledgeMany(refs: readonly AckRef[]): Promise<AckOutcome[]> {
    return Promise.resolve(refs.map(() => ({ kind: 'unknown' })));
  }

  sweep(): Promise<number> {
    return Promise.resolve(0);
  }

  totals(): Promise<AckTotals> {
    return Promise.resolve({ tracked: 0, acked: 0, expired: 0, pending: 0, totalLatencyMs: 0 });
  }

  open(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
