import type { TenantId } from '../notification/ids';
import { type AckOutcome, type AckRef, AckStore, type AckTotals, type PendingAck, type Tracked } from './ack-store';

/** Records that a sweep looks at before it lets the event loop go on. */
const RECORDS_PER_SLICE = 5000;

type Totals = { -readonly [Name in keyof AckTotals]: AckTotals[Name] };

/** Awaited acknowledgements of this process; they end with it. O(1) per record; a sweep is O(records), in slices. */
export class MemoryAckStore extends AckStore {
  readonly backend = 'memory';
  readonly #pending = new Map<string, PendingAck>();
  readonly #totals = new Map<TenantId, Totals>();

  trackMany(pending: readonly PendingAck[]): Promise<Tracked> {
    let fresh = 0;
    let renewed = 0;
    for (const each of pending) {
      const name = nameOf(each);
      const known = this.#pending.get(name);
      if (known !== undefined) {
        if (known.expiresAt > each.sentAt) continue;
        this.#expire(name, known);
        renewed++;
      }
      this.#pending.set(name, each);
      const totals = this.#totalsOf(each.tenant);
      totals.tracked++;
      totals.pending++;
      fresh++;
    }
    return Promise.resolve({ fresh, renewed });
  }

  acknowledgeMany(refs: readonly AckRef[], now: number): Promise<AckOutcome[]> {
    return Promise.resolve(refs.map((ref) => this.#acknowledge(ref, now)));
  }

  async sweep(now: number): Promise<number> {
    let looked = 0;
    let expired = 0;
    for (const [name, pending] of this.#pending) {
      if (pending.expiresAt <= now) {
        this.#expire(name, pending);
        expired++;
      }
      if (++looked % RECORDS_PER_SLICE === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    return expired;
  }

  totals(tenant?: TenantId): Promise<AckTotals> {
    const sum = noTotals();
    for (const [name, totals] of this.#totals) {
      if (tenant !== undefined && tenant !== name) continue;
      sum.tracked += totals.tracked;
      sum.acked += totals.acked;
      sum.expired += totals.expired;
      sum.pending += totals.pending;
      sum.totalLatencyMs += totals.totalLatencyMs;
    }
    return Promise.resolve(sum);
  }

  open(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #acknowledge(ref: AckRef, now: number): AckOutcome {
    const name = nameOf(ref);
    const pending = this.#pending.get(name);
    if (pending === undefined) return { kind: 'unknown' };
    if (pending.expiresAt <= now) {
      this.#expire(name, pending);
      return { kind: 'late' };
    }
    this.#pending.delete(name);
    // The clock may have been set back.
    const latencyMs = Math.max(0, now - pending.sentAt);
    const totals = this.#totalsOf(ref.tenant);
    totals.pending--;
    totals.acked++;
    totals.totalLatencyMs += latencyMs;
    return { kind: 'acked', latencyMs };
  }

  #expire(name: string, { tenant }: PendingAck): void {
    this.#pending.delete(name);
    const totals = this.#totalsOf(tenant);
    totals.pending--;
    totals.expired++;
  }

  #totalsOf(tenant: TenantId): Totals {
    let totals = this.#totals.get(tenant);
    if (totals === undefined) this.#totals.set(tenant, (totals = noTotals()));
    return totals;
  }
}

function noTotals(): Totals {
  return { tracked: 0, acked: 0, expired: 0, pending: 0, totalLatencyMs: 0 };
}

/** No part can hold a NUL, so no two refs share a name. */
function nameOf({ tenant, user, notification }: AckRef): string {
  return `${tenant}\0${user}\0${notification}`;
}
