import type { NotificationId } from '../notification/ids';

/**
 * The stored notifications that a connection was given, so that none is given twice. An id is remembered until its
 * entry can be in no store any more; memory grows with the stored notifications of that time only.
 */
export class SentLog {
  readonly #forgetAt = new Map<NotificationId, number>();

  has(id: NotificationId): boolean {
    return this.#forgetAt.has(id);
  }

  add(id: NotificationId, forgetAt: number): void {
    this.#forgetAt.set(id, forgetAt);
  }

  /** The entry left the store: a reader that still holds it in hand may try until `forgetAt`. */
  shorten(id: NotificationId, forgetAt: number): void {
    if (this.#forgetAt.has(id)) this.#forgetAt.set(id, forgetAt);
  }

  prune(now: number): void {
    for (const [id, forgetAt] of this.#forgetAt) if (forgetAt <= now) this.#forgetAt.delete(id);
  }
}
