import type { LoggerService } from '@nestjs/common';
import type { Clock } from '../notification/clock';

const INTERVAL_MS = 60_000;
/** Keys are meant to be constants of the code; should one hold a client's input, memory stays bounded. */
const MAX_KEYS = 1000;

interface Occurrences {
  loggedAt: number;
  suppressed: number;
}

/**
 * Logs a warning that may come a thousand times per second at most once per key and interval, and says with the next line
 * how many were left out (`suppressed`).
 */
export class RepeatedWarnings {
  readonly #byKey = new Map<string, Occurrences>();

  constructor(
    private readonly logger: Pick<LoggerService, 'warn'>,
    private readonly clock: Pick<Clock, 'now'>,
    private readonly intervalMs = INTERVAL_MS,
  ) {}

  /** @param key says which warnings are the same; @param fields become fields of the log line. */
  warn(key: string, message: string, fields: Readonly<Record<string, unknown>> = {}): void {
    const now = this.clock.now();
    const earlier = this.#byKey.get(key);
    if (earlier !== undefined && now - earlier.loggedAt < this.intervalMs) {
      earlier.suppressed++;
      return;
    }
    if (earlier === undefined && this.#byKey.size >= MAX_KEYS) this.#byKey.clear();
    this.#byKey.set(key, { loggedAt: now, suppressed: 0 });
    const suppressed = earlier?.suppressed ?? 0;
    this.logger.warn({ ...fields, msg: message, ...(suppressed > 0 && { suppressed }) });
  }
}
