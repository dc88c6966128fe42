import type { TenantId } from '../notification/ids';
import { Backlog } from './backlog';
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

/** Streams that a sweep looks at before it lets the event loop go on. */
const STREAMS_PER_SLICE = 1000;
/** Dedupe keys of one span of time, some 150 bytes each. A flood beyond it makes the oldest be forgotten early. */
const MAX_CLAIMS = 250_000;

/**
 * Keeps entries in this process: they end with it. Each operation costs O(log n) of one user's entries at most; a sweep
 * is O(streams), in slices. Every method does its work before it returns, so calls never interleave.
 */
export class MemoryQueueStore extends QueueStore {
  readonly backend = 'memory';
  readonly #streams = new Map<string, Backlog>();
  readonly #claims = new Claims();
  #messages = 0;
  #lastPosition = 0;
  /** Expired and removed, but not yet told by a sweep. */
  #expired = 0;

  isDurable(): boolean {
    return false;
  }

  append(appends: readonly Append[], cap: number, now: number): Promise<AppendOutcome[]> {
    return Promise.resolve(appends.map((append) => this.#appendOne(append, cap, now)));
  }

  readAfter(
    stream: StreamKey,
    after: Position | undefined,
    limit: number,
    now: number,
  ): Promise<readonly StoredEntry[]> {
    const position = after === undefined ? 0 : Number(after);
    return Promise.resolve(this.#streams.get(nameOf(stream))?.readAfter(position, limit, now) ?? []);
  }

  readMany(
    streams: readonly StreamKey[],
    limit: number,
    now: number,
  ): Promise<readonly { readonly stream: StreamKey; readonly entries: readonly StoredEntry[] }[]> {
    return Promise.resolve(
      streams
        .map((stream) => ({ stream, entries: this.#streams.get(nameOf(stream))?.readAfter(0, limit, now) ?? [] }))
        .filter(({ entries }) => entries.length > 0),
    );
  }

  commit(entries: readonly EntryRef[]): Promise<number> {
    return Promise.resolve(this.#removeWhere(entries, (backlog, { id }) => backlog.remove(id)));
  }

  recordDelivery(entries: readonly EntryRef[], maxDeliveries: number): Promise<number> {
    return Promise.resolve(this.#removeWhere(entries, (backlog, { id }) => backlog.recordDelivery(id, maxDeliveries)));
  }

  async sweep(now: number): Promise<number> {
    let looked = 0;
    for (const [name, backlog] of this.#streams) {
      this.#expire(backlog, now);
      if (backlog.size === 0) this.#streams.delete(name);
      if (++looked % STREAMS_PER_SLICE === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    const expired = this.#expired;
    this.#expired = 0;
    return expired;
  }

  /** May count entries that have expired since the last sweep. O(1). */
  size(): Promise<QueueSize> {
    return Promise.resolve({ messages: this.#messages, users: this.#streams.size });
  }

  open(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #appendOne({ tenant, users, body, present, dedupeKey }: Append, cap: number, now: number): AppendOutcome {
    if (dedupeKey !== undefined && !this.#claims.claim(tenant, dedupeKey, now)) return { kind: 'duplicate' };
    let dropped = 0;
    users.forEach((user, index) => {
      const name = nameOf({ tenant, user });
      const backlog = this.#streams.get(name) ?? new Backlog();
      this.#expire(backlog, now);
      if (backlog.has(body.id)) return;
      if (body.expiresAt <= now) {
        this.#expired++;
        return;
      }
      this.#streams.set(name, backlog);
      while (backlog.size > 0 && backlog.size + 1 > cap) {
        if (backlog.dropOldest(now)) dropped++;
        this.#messages--;
      }
      backlog.add(body, ++this.#lastPosition, present.has(index) ? now + IN_FLIGHT_SECONDS * 1000 : 0);
      this.#messages++;
    });
    return { kind: 'stored', dropped };
  }

  #expire(backlog: Backlog, now: number): void {
    const count = backlog.expire(now);
    this.#expired += count;
    this.#messages -= count;
  }

  /** Counts the entries that `remove` says it removed. */
  #removeWhere(entries: readonly EntryRef[], remove: (backlog: Backlog, entry: EntryRef) => boolean): number {
    let removed = 0;
    for (const entry of entries) {
      const name = nameOf(entry);
      const backlog = this.#streams.get(name);
      if (backlog === undefined || !remove(backlog, entry)) continue;
      removed++;
      if (backlog.size === 0) this.#streams.delete(name);
    }
    this.#messages -= removed;
    return removed;
  }
}

/** Neither part can hold a NUL, so no two pairs share a name. */
function nameOf({ tenant, user }: StreamKey): string {
  return `${tenant}\0${user}`;
}

/** Dedupe keys of the last DEDUPE_SECONDS, in two generations, so that forgetting them costs nothing. */
class Claims {
  #current = new Map<string, number>();
  #previous = new Map<string, number>();
  #rotatedAt = 0;

  /** False when it was claimed within the last DEDUPE_SECONDS. */
  claim(tenant: TenantId, dedupeKey: string, now: number): boolean {
    const name = `${tenant}\0${dedupeKey}`;
    if ((this.#current.get(name) ?? this.#previous.get(name) ?? 0) > now) return false;
    if (now - this.#rotatedAt >= DEDUPE_SECONDS * 1000 || this.#current.size >= MAX_CLAIMS) {
      this.#previous = this.#current;
      this.#current = new Map();
      this.#rotatedAt = now;
    }
    this.#current.set(name, now + DEDUPE_SECONDS * 1000);
    return true;
  }
}
