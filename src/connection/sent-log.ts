import type { NotificationId } from '../notification/ids';

/**
 * The stored notifications that a connection was given, so that none is given twice. An id is remembered until its
 * entry can be in no store any more; memory grows with the stored notifications of that time only. O(1) each; pruning is
 * O(remembered).
 */
export class SentLog {
  readonly #forgetAt = new Map<NotificationId, number>();
  readonly #settled = new Set<NotificationId>();

  has(id: NotificationId): boolean {
    return this.#forgetAt.has(id);
  }

  add(id: NotificationId, forgetAt: number): void {
    this.#forgetAt.set(id, forgetAt);
  }

  hasSettled(id: NotificationId): boolean {
    return this.#settled.has(id);
  }

  /** The entry left the store: a reader that still holds it in hand may try until `forgetAt`. */
  settle(id: NotificationId, forgetAt: number): void {
    if (!this.#forgetAt.has(id)) return;
    this.#forgetAt.set(id, forgetAt);
    this.#settled.add(id);
  }

  prune(now: number): void {
    for (const [id, forgetAt] of this.#forgetAt) {
      if (forgetAt > now) continue;
      this.#forgetAt.delete(id);
      this.#settled.delete(id);
    }
  }
}
