import type { NotificationId } from '../notification/ids';
import type { Frame } from '../protocol/frame';

/** The trace context closes a frame's metadata, which closes the frame; so nothing in a payload is taken for one. */
const TRACEPARENT_AT_END = /"traceparent":"([0-9a-f-]{55})"\}\}$/;

/**
 * The trace that a notification belongs to, kept until its acknowledgement comes: an ACK names the notification and
 * nothing else. Holds the latest `capacity` ones; what is older is forgotten, and its ACK starts a trace of its own.
 * With capacity 0 it remembers nothing and costs nothing.
 */
export class NotificationTraces {
  readonly #traceparents = new Map<NotificationId, string>();

  constructor(private readonly capacity: number) {}

  /** Reads the trace off the frame, so that it does not matter whether it was made here, on another node, or stored long ago. */
  remember(frame: Frame): void {
    if (this.capacity === 0 || frame.id === undefined) return;
    const [, traceparent] = TRACEPARENT_AT_END.exec(frame.json.slice(-100)) ?? [];
    if (traceparent === undefined) return;
    this.#traceparents.set(frame.id, traceparent);
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
