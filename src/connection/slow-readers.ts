import { Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { Clock } from '../notification/clock';
import { CLOSE, type CloseReason } from '../protocol/close-reason';

const MIB = 1024 * 1024;

/** A reader may lag this far for a while … */
export const LAG_LIMIT_BYTES = MIB;
/** … this long … */
export const LAG_LIMIT_MS = 5000;
/** … and never this far: it has stopped reading. */
export const BACKLOG_LIMIT_BYTES = 8 * MIB;

const CHECK_INTERVAL_MS = 500;

export interface Lagging {
  close(reason: CloseReason): void;
}

/** Closes connections that lag more than 1 MiB behind for 5 s. Healthy readers lag by the turn under flood, so time belongs to the rule. O(1) per observation; a check is O(those who lag). */
@Injectable()
export class SlowReaders implements OnModuleInit, OnModuleDestroy {
  readonly #since = new Map<Lagging, number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(private readonly clock: Clock) {}

  onModuleInit(): void {
    this.#timer = setInterval(() => {
      this.check();
    }, CHECK_INTERVAL_MS).unref();
  }

  onModuleDestroy(): void {
    clearInterval(this.#timer);
  }

  /**
   * Tells how far a connection lags; closes it at once past 8 MiB. `missedBytes` were withheld because of the backlog since
   * the reader last took anything: they count as lag, or shedding would keep a reader that has stopped for ever.
   */
  observe(connection: Lagging, backlogBytes: number, missedBytes = 0): void {
    if (backlogBytes > BACKLOG_LIMIT_BYTES) this.cut(connection);
    else if (backlogBytes + missedBytes <= LAG_LIMIT_BYTES) this.#since.delete(connection);
    else if (!this.#since.has(connection)) this.#since.set(connection, this.clock.now());
  }

  forget(connection: Lagging): void {
    this.#since.delete(connection);
  }

  private check(): void {
    const now = this.clock.now();
    for (const [connection, since] of this.#since) if (now - since > LAG_LIMIT_MS) this.cut(connection);
  }

  private cut(connection: Lagging): void {
    this.#since.delete(connection);
    connection.close(CLOSE.slowConsumer);
  }
}
