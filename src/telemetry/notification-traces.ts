import type { NotificationId } from '../notification/ids';

/**
 * The trace that a notification belongs to, kept until its acknowledgement comes: an ACK names the notification and
 * nothing else. Holds the latest `capacity` ones; what is older is forgotten, and its ACK starts a trace of its own.
 * With capacity 0 it remembers nothing and costs nothing.
 */
export class NotificationTraces {
  readonly #traceparents = new Map<NotificationId, string>();

  constructor(private readonly capacity: number) {}

  remember(id: NotificationId, traceparent: string | undefined): void {
    if (this.capacity === 0 || traceparent === undefined) return;
    this.#traceparents.set(id, traceparent);
    if (this.#traceparents.size <= this.capacity) return;
    for (const [oldest] of this.#traceparents) {
      this.#traceparents.delete(oldest);
      return;
    }
  }

  traceparentOf(id: NotificationId): string | undefined {
    return this.#traceparents.get(id);
  }
}
