import type { Frame } from '../protocol/frame';
import type { Receipt } from './receipt';

export interface HeldFrame {
  readonly frame: Frame;
  readonly receipt: Receipt | undefined;
}

/** Holds live frames of a connection while it is given what was kept for it. O(1) per frame; its owner bounds the bytes. */
export class ReplayGate {
  readonly #held: HeldFrame[] = [];
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  hold(frame: Frame, receipt: Receipt | undefined, size: number): void {
    this.#held.push({ frame, receipt });
    this.#bytes += size;
  }

  /** What was held, in the order in which it came. */
  release(): readonly HeldFrame[] {
    return this.#held;
  }
}
