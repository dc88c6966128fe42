import type { NotificationId } from '../notification/ids';
import { ExpiryHeap } from './expiry-heap';
import type { EntryBody, Position, StoredEntry } from './queue-store';

/** Gone entries that a backlog may carry along beside the living. */
const SLACK = 16;

interface Entry {
  readonly body: EntryBody;
  readonly expiresAt: number;
  readonly position: number;
  /** 0: nobody was present when it was stored. */
  readonly inFlightUntil: number;
  deliveries: number;
  isGone: boolean;
}

/**
 * One user's entries in memory. Adding, removing and finding the next to drop cost O(log n) at most: an entry that goes
 * is only marked, and the lists are cleared of marked ones when those are the majority.
 */
export class Backlog {
  readonly #byId = new Map<NotificationId, Entry>();
  /** All entries by position, and those of them that were never in flight; each from its first living one on. */
  #log: Entry[] = [];
  #logStart = 0;
  #idle: Entry[] = [];
  #idleStart = 0;
  #byExpiry = new ExpiryHeap<Entry>();

  get size(): number {
    return this.#byId.size;
  }

  has(id: NotificationId): boolean {
    return this.#byId.has(id);
  }

  /** `position` must be higher than any before. */
  add(body: EntryBody, position: number, inFlightUntil: number): void {
    const entry: Entry = {
      body,
      expiresAt: body.expiresAt,
      position,
      inFlightUntil,
      deliveries: 0,
      isGone: false,
    };
    this.#byId.set(body.id, entry);
    this.#log.push(entry);
    if (inFlightUntil === 0) this.#idle.push(entry);
    this.#byExpiry.add(entry);
    if (this.#log.length > 2 * this.#byId.size + SLACK) this.#clear();
  }

  /** Removes the oldest that is not in flight, else the oldest. True when it was not in flight. */
  dropOldest(now: number): boolean {
    this.#logStart = firstLiving(this.#log, this.#logStart);
    this.#idleStart = firstLiving(this.#idle, this.#idleStart);
    const oldest = this.#log[this.#logStart];
    // Times in flight end in the order of positions: is the oldest still in flight, so is every other that ever was.
    const isIdle = oldest !== undefined && oldest.inFlightUntil <= now;
    const victim = isIdle ? oldest : this.#idle[this.#idleStart];
    this.#remove(victim ?? oldest);
    return victim !== undefined;
  }

  remove(id: NotificationId): boolean {
    return this.#remove(this.#byId.get(id));
  }

  /** Counts one more connection; true when the entry reached the limit and is gone now. */
  recordDelivery(id: NotificationId, maxDeliveries: number): boolean {
    const entry = this.#byId.get(id);
    if (entry === undefined || ++entry.deliveries < maxDeliveries) return false;
    return this.#remove(entry);
  }

  /** Removes what has expired; says how many. O(log n) for each. */
  expire(now: number): number {
    let count = 0;
    for (let entry = this.#byExpiry.first; entry !== undefined; entry = this.#byExpiry.first) {
      if (!entry.isGone && entry.expiresAt > now) break;
      this.#byExpiry.removeFirst();
      if (this.#remove(entry)) count++;
    }
    return count;
  }

  /** Up to `limit` unexpired entries behind `after`, oldest first; O(log n) to find the first. */
  readAfter(after: number, limit: number, now: number): StoredEntry[] {
    const found: StoredEntry[] = [];
    for (let at = this.#firstBehind(after); at < this.#log.length && found.length < limit; at++) {
      const entry = this.#log[at];
      if (entry === undefined || entry.isGone || entry.expiresAt <= now) continue;
      found.push({ ...entry.body, position: String(entry.position) as Position, deliveries: entry.deliveries });
    }
    return found;
  }

  #remove(entry: Entry | undefined): boolean {
    if (entry === undefined || entry.isGone) return false;
    entry.isGone = true;
    return this.#byId.delete(entry.body.id);
  }

  #firstBehind(after: number): number {
    let low = this.#logStart;
    let high = this.#log.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#log[middle]?.position ?? Infinity) > after) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #clear(): void {
    const isLiving = ({ isGone }: Entry): boolean => !isGone;
    this.#log = this.#log.filter(isLiving);
    this.#idle = this.#idle.filter(isLiving);
    this.#logStart = this.#idleStart = 0;
    this.#byExpiry = new ExpiryHeap();
    for (const entry of this.#log) this.#byExpiry.add(entry);
  }
}

function firstLiving(entries: readonly Entry[], from: number): number {
  let at = from;
  while (entries[at]?.isGone === true) at++;
  return at;
}
