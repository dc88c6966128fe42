import { Injectable } from '@nestjs/common';
import { FrameRun } from './frame-run';

/** Something that holds frames of this turn. */
export interface Flushable {
  flush(): void;
}

/** `bulk` for members of a large fan-out: they must not make others wait. */
export type Lane = 'express' | 'bulk';

/** A fan-out to more connections than this goes the bulk way. */
export const BULK_FROM_CONNECTIONS = 64;

/** Socket writes per event-loop turn: about 2 ms of work, so that a broadcast to thousands delays nobody for long. */
const WRITES_PER_TURN = 256;
const BULK_WRITES_PER_TURN_AT_LEAST = 64;

/**
 * Writes what the turn has gathered: one write per connection, at the end of the turn, in slices. What arrives for a
 * connection while it waits for its slice joins the same write, so throughput grows with load.
 */
@Injectable()
export class Flusher {
  #root = FrameRun.empty();
  readonly #express = new SlicedList();
  readonly #bulk = new SlicedList();
  #scheduled = false;

  /** Where a connection without frames of this turn starts its run. */
  get root(): FrameRun {
    return this.#root;
  }

  /** Has `connection.flush()` called soon; O(1). */
  add(connection: Flushable, lane: Lane): void {
    (lane === 'express' ? this.#express : this.#bulk).push(connection);
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#turn);
  }

  /** Writes everything at once; for the end of the process. */
  flushAll(): void {
    this.#express.flush(Number.POSITIVE_INFINITY);
    this.#bulk.flush(Number.POSITIVE_INFINITY);
  }

  readonly #turn = (): void => {
    this.#scheduled = false;
    const written = this.#express.flush(WRITES_PER_TURN);
    this.#bulk.flush(Math.max(WRITES_PER_TURN - written, BULK_WRITES_PER_TURN_AT_LEAST));
    if (this.#express.isEmpty && this.#bulk.isEmpty) {
      // A new root lets go of the last turn's frames.
      this.#root = FrameRun.empty();
      return;
    }
    this.#scheduled = true;
    setImmediate(this.#turn);
  };
}

/** First in, first out, in slices, without moving what waits. */
class SlicedList {
  #waiting: Flushable[] = [];
  #next = 0;

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  push(item: Flushable): void {
    this.#waiting.push(item);
  }

  flush(atMost: number): number {
    const end = Math.min(this.#waiting.length, this.#next + atMost);
    const count = end - this.#next;
    for (; this.#next < end; this.#next++) this.#waiting[this.#next]?.flush();
    // Under steady load the list never runs empty: what is done goes when it is the larger half, so a push stays O(1).
    if (this.#next * 2 >= this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#next);
      this.#next = 0;
    }
    return count;
  }
}
