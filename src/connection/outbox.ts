import type { Frame } from '../protocol/frame';
import { PRIORITIES } from '../notification/priority';
import type { Receipt } from './receipt';
import type { Sink } from './sink';

interface Waiting {
  readonly frame: Frame;
  readonly receipt: Receipt | undefined;
  readonly size: number;
}

const LOW = PRIORITIES.indexOf('Low');
const NORMAL = PRIORITIES.indexOf('Normal');

/**
 * What waits for a reader that lags behind, bounded by its owner. Leaves by priority, in arrival order within one.
 * Exists only while there is a backlog. Adding is O(1); taking and shedding move what waits in one lane, which its owner
 * bounds to 8 MiB.
 */
export class Outbox {
  #bytes = 0;
  /** Per rank, so that a full lane of frames that must stay is not searched for nothing. */
  readonly #sheddableBytes = PRIORITIES.map(() => 0);
  readonly #lanes: Waiting[][] = PRIORITIES.map(() => []);

  get bytes(): number {
    return this.#bytes;
  }

  get isEmpty(): boolean {
    return this.#bytes === 0;
  }

  push(frame: Frame, receipt: Receipt | undefined, sink: Sink): void {
    const size = sink.encode(frame).length;
    this.account(frame, size);
    this.lane(frame.rank).push({ frame, receipt, size });
  }

  /**
   * Makes room for `frame` when the backlog would exceed its bound by `excess` bytes: drops sheddable `Low`, then `Normal` frames, the
   * youngest first. Says how many were dropped, and whether `frame` itself is one that must give way.
   */
  shedFor(frame: Frame, excess: number): { readonly shed: number; readonly refused: boolean } {
    let missing = excess;
    let shed = 0;
    const giveWayUpTo = frame.mayBeShed ? frame.rank : NORMAL - 1;
    for (const rank of [LOW, NORMAL]) {
      if (rank <= giveWayUpTo) break;
      const dropped = this.dropFrom(rank, missing);
      missing -= dropped.bytes;
      shed += dropped.count;
      if (missing <= 0) return { shed, refused: false };
    }
    return { shed, refused: frame.mayBeShed && frame.rank >= NORMAL };
  }

  /** Takes at least one frame and at most about `maxBytes`, in the order in which they are to leave. */
  take(maxBytes: number, sink: Sink): { readonly bytes: Buffer; readonly receipts: readonly Receipt[] } {
    const parts: Buffer[] = [];
    const receipts: Receipt[] = [];
    let size = 0;
    for (const lane of this.#lanes) {
      let count = 0;
      for (const waiting of lane) {
        if (size > 0 && size + waiting.size > maxBytes) break;
        parts.push(sink.encode(waiting.frame));
        if (waiting.receipt !== undefined) receipts.push(waiting.receipt);
        size += waiting.size;
        this.account(waiting.frame, -waiting.size);
        count++;
      }
      lane.splice(0, count);
      if (lane.length > 0) break;
    }
    return { bytes: parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts, size), receipts };
  }

  private dropFrom(rank: number, bytes: number): { readonly bytes: number; readonly count: number } {
    const lane = this.lane(rank);
    let freed = 0;
    let count = 0;
    for (let i = lane.length - 1; freed < bytes && this.#sheddableBytes[rank] !== 0; i--) {
      const waiting = lane[i];
      if (waiting === undefined) break;
      if (!waiting.frame.mayBeShed) continue;
      lane.splice(i, 1);
      this.account(waiting.frame, -waiting.size);
      freed += waiting.size;
      count++;
    }
    return { bytes: freed, count };
  }

  private account(frame: Frame, bytes: number): void {
    this.#bytes += bytes;
    if (frame.mayBeShed) this.#sheddableBytes[frame.rank] = (this.#sheddableBytes[frame.rank] ?? 0) + bytes;
  }

  private lane(rank: number): Waiting[] {
    const lane = this.#lanes[rank];
    if (lane === undefined) throw new RangeError(`no lane for rank ${rank}`);
    return lane;
  }
}
