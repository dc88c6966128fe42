import type { Clock } from '../notification/clock';

/** All copies of a message come within one round trip. */
const REMEMBERED_MS = 10_000;

/** `first`: to be worked on; `further`: counted, the reply to the first accounts for it; `late`: that reply has gone. */
export type Copy = 'first' | 'further' | 'late';

/** Tells the copies of messages apart that this node hears on several topics. O(1) amortised. */
export class ReceivedCopies {
  /** In the order in which they came. */
  readonly #messages = new Map<string, { readonly at: number; copies: number; isAnswered: boolean }>();

  constructor(private readonly clock: Pick<Clock, 'now'>) {}

  take(message: string): Copy {
    const now = this.clock.now();
    for (const [old, { at }] of this.#messages) {
      if (now - at < REMEMBERED_MS) break;
      this.#messages.delete(old);
    }
    const known = this.#messages.get(message);
    if (known === undefined) {
      this.#messages.set(message, { at: now, copies: 1, isAnswered: false });
      return 'first';
    }
    known.copies++;
    return known.isAnswered ? 'late' : 'further';
  }

  /** The copies that the reply accounts for which is sent now. */
  answer(message: string): number {
    const known = this.#messages.get(message);
    if (known === undefined) return 1;
    known.isAnswered = true;
    return known.copies;
  }
}
