import type { Brand, NotificationId, TenantId, UserId } from '../notification/ids';
import type { Priority } from '../notification/priority';

/** Where an entry stands in its user's stream: opaque outside the store that gave it, ordered within one stream. */
export type Position = Brand<string, 'Position'>;

/** A user's stream of kept notifications. */
export interface StreamKey {
  readonly tenant: TenantId;
  readonly user: UserId;
}

/** Names an entry by identity: one notification is at most once in one stream. */
export interface EntryRef extends StreamKey {
  readonly id: NotificationId;
}

/** What is kept of a notification. */
export interface EntryBody {
  readonly id: NotificationId;
  readonly priority: Priority;
  /** Milliseconds since the epoch; the earlier of the queue's and the notification's own life. Never later than storable. */
  readonly expiresAt: number;
  /** The frame's JSON text, byte for byte what the client is to get; stores keep it as text. */
  readonly json: string;
}

export interface StoredEntry extends EntryBody {
  readonly position: Position;
  /** Connections that took it so far. */
  readonly deliveries: number;
}

/** One notification for some users, at most 500 of them in one append. */
export interface Append {
  readonly tenant: TenantId;
  readonly users: readonly UserId[];
  readonly body: EntryBody;
  /**
   * Users (by index in `users`) that have an open connection now. Their entry counts as in flight for a few seconds:
   * the cap removes it last, and removing it is not a drop.
   */
  readonly present: ReadonlySet<number>;
  /** Claimed in the same atomic step as the append, remembered for DEDUPE_SECONDS, scoped to the tenant. */
  readonly dedupeKey?: string;
}

export type AppendOutcome =
  /** Stored for every user, all or none. `dropped`: entries of others that the cap pushed out, those in flight not counted. */
  | { readonly kind: 'stored'; readonly dropped: number }
  /** The dedupe key was claimed before: nothing was stored, nothing must be sent. */
  | { readonly kind: 'duplicate' };

export interface QueueSize {
  readonly messages: number;
  readonly users: number;
}

/** How long a dedupe key is remembered. */
export const DEDUPE_SECONDS = 120;

/** How long an entry that was stored for a present user counts as in flight. */
export const IN_FLIGHT_SECONDS = 5;

/**
 * Keeps notifications for users: a log per user with positions. The store is dumb and batch-first; policy, retries,
 * metrics and coalescing are QueueService's. Every method rejects with a StoreUnavailableError when the medium cannot
 * be reached, and with any other error when this very input was refused. Times come from the caller's clock (`now`).
 */
export abstract class QueueStore {
  abstract readonly backend: 'none' | 'memory' | 'redis' | 'postgres';

  /** Whether what was stored survives a crash of this process and of the store's own. */
  abstract isDurable(): boolean;

  /**
   * Appends each; the outcomes stand in the same order. Per append atomic: all users or none, together with the claim
   * of its dedupe key. Entries of one stream get ascending positions in the order of the array. Appending an id that
   * its stream already holds changes nothing there. When a stream would hold more than `cap` live entries, the oldest
   * go: those not in flight first, and never the one that is being appended. Rejects as a whole; what was then stored of it is unknown.
   */
  abstract append(appends: readonly Append[], cap: number, now: number): Promise<AppendOutcome[]>;

  /** Up to `limit` uncommitted, unexpired entries behind `after` (undefined: from the start), oldest first. */
  abstract readAfter(
    stream: StreamKey,
    after: Position | undefined,
    limit: number,
    now: number,
  ): Promise<readonly StoredEntry[]>;

  /** The same from the start for many streams in one round trip; streams without entries are left out. */
  abstract readMany(
    streams: readonly StreamKey[],
    limit: number,
    now: number,
  ): Promise<readonly { readonly stream: StreamKey; readonly entries: readonly StoredEntry[] }[]>;

  /** Removes entries for good; unknown ones are ignored. Says how many were there. */
  abstract commit(entries: readonly EntryRef[]): Promise<number>;

  /** Counts one more connection that took each entry; those that reach `maxDeliveries` are removed, and counted in the answer. */
  abstract recordDelivery(entries: readonly EntryRef[], maxDeliveries: number): Promise<number>;

  /** Removes what has expired; says how many, those included that an append had to remove because they had expired. */
  abstract sweep(now: number): Promise<number>;

  /** May count entries that have expired and were not swept yet. */
  abstract size(now: number): Promise<QueueSize>;

  /** Reaches the medium once; resolves when it is ready to be used, and refreshes what isDurable says. */
  abstract open(): Promise<void>;

  /** Lets go of everything that this store opened itself; idempotent. */
  abstract close(): Promise<void>;
}

/** What stands in for a store while the queue is off: keeps nothing and costs nothing. */
export class NullQueueStore extends QueueStore {
  readonly backend = 'none';

  isDurable(): boolean {
    return false;
  }

  append(appends: readonly Append[]): Promise<AppendOutcome[]> {
    return Promise.resolve(appends.map(() => ({ kind: 'stored', dropped: 0 })));
  }

  readAfter(): Promise<readonly StoredEntry[]> {
    return Promise.resolve([]);
  }

  readMany(): Promise<readonly []> {
    return Promise.resolve([]);
  }

  commit(): Promise<number> {
    return Promise.resolve(0);
  }

  recordDelivery(): Promise<number> {
    return Promise.resolve(0);
  }

  sweep(): Promise<number> {
    return Promise.resolve(0);
  }

  size(): Promise<QueueSize> {
    return Promise.resolve({ messages: 0, users: 0 });
  }

  open(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
