import type { Clock } from '../notification/clock';

/**
 * Tells an outage from a blink: something counts as gone when it was seen away, and never back, for `graceMs`, and as
 * there again at the first sight. A probe that goes by single sights would take all nodes out at once when the one
 * Redis behind them restarts.
 */
export class Outage {
  #awaySince: number | undefined;

  constructor(
    private readonly graceMs: number,
    private readonly clock: Clock,
  ) {}

  /** To be told often, compared with the grace time. True: gone. */
  see(isThere: boolean): boolean {
    if (isThere) {
      this.#awaySince = undefined;
      return false;
    }
    const now = this.clock.now();
    this.#awaySince ??= now;
    return now - this.#awaySince >= this.graceMs;
  }
}
