import type { Clock } from '../notification/clock';

export type CircuitState = 'closed' | 'open' | 'half_open';

export interface CircuitBreakerOptions {
  /** Failures in a row that open it. */
  readonly failureThreshold: number;
  /** Successes in a row that close it again. */
  readonly successThreshold: number;
  /** How long it stays open when nothing tells that the dependency is back. */
  readonly resetMs: number;
}

/**
 * Stops asking a dependency that does not answer. Closed: calls pass. Open: they do not. Half open: they pass, the first
 * failure opens it again. A pure state machine: it makes no calls and has no timers.
 */
export class CircuitBreaker {
  #state: CircuitState = 'closed';
  #failures = 0;
  #successes = 0;
  #openedAt = 0;

  constructor(
    private readonly options: CircuitBreakerOptions,
    private readonly clock: Clock,
  ) {}

  get state(): CircuitState {
    if (this.#state === 'open' && this.clock.now() - this.#openedAt >= this.options.resetMs) this.#halfOpen();
    return this.#state;
  }

  /** Failures in a row. */
  get failures(): number {
    return this.#failures;
  }

  /** Whether a call may be made now. */
  admits(): boolean {
    return this.state !== 'open';
  }

  succeeded(): void {
    switch (this.state) {
      case 'closed':
        this.#failures = 0;
        break;
      case 'half_open':
        if (++this.#successes >= this.options.successThreshold) {
          this.#state = 'closed';
          this.#failures = 0;
        }
        break;
      case 'open':
      // A call from before it opened says nothing about now.
    }
  }

  failed(): void {
    const { state } = this;
    if (state === 'open') return;
    this.#failures++;
    if (state === 'closed' && this.#failures < this.options.failureThreshold) return;
    this.#state = 'open';
    this.#openedAt = this.clock.now();
  }

  /** There is news that the dependency is back: a trial need not wait any longer. */
  tryAgain(): void {
    if (this.state === 'open') this.#halfOpen();
  }

  #halfOpen(): void {
    this.#state = 'half_open';
    this.#successes = 0;
  }
}
