import type { AraConfig } from '../config/ara-config';
import { StoreUnavailableError } from '../notification/store-unavailable';
import type { Counter, Histogram, Labelled } from '../telemetry/metrics';
import type { CircuitBreaker } from './circuit-breaker';
import type { RedisClient } from './redis-client';
import { faultOf, redisUnavailable } from './redis-error';
import type { RedisLink } from './redis-link';

export interface OperationMetrics {
  readonly latency: Labelled<readonly ['backend', 'operation'], Histogram>;
  readonly errors: Labelled<readonly ['backend', 'operation'], Counter>;
}

/** A connection for commands, guarded by the circuit breaker that all of them share. */
export class RedisConnection {
  constructor(
    private readonly link: RedisLink<RedisClient>,
    private readonly breaker: CircuitBreaker,
    private readonly metrics: OperationMetrics,
    private readonly timeoutMs: AraConfig['store']['timeoutMs'],
  ) {}

  /**
   * Lets `command` use the connection; makes it first when this is the first use. Rejects with StoreUnavailableError,
   * within the time that a store may take, when Redis cannot be reached or cannot serve: a command under way then may or
   * may not have been carried out, and is never repeated here. Any other rejection is Redis' answer to this very input.
   *
   * @param operation names it in metrics: a constant of the code
   */
  async run<T>(operation: string, command: (redis: RedisClient) => Promise<T>): Promise<T> {
    const startedAt = performance.now();
    try {
      if (!this.breaker.admits()) throw redisUnavailable('the circuit is open', this.link.lastFault);
      const answer = await command(this.link.client ?? (await this.#firstConnection()));
      this.breaker.succeeded();
      return answer;
    } catch (error) {
      this.metrics.errors.with('redis', operation).inc();
      throw this.#judge(error);
    } finally {
      this.metrics.latency.with('redis', operation).observe((performance.now() - startedAt) / 1000);
    }
  }

  /** Resolves when it is connected, whatever number of attempts that takes; rejects when it is closed. */
  async whenUp(): Promise<void> {
    await this.link.whenUp();
  }

  close(): void {
    this.link.close();
  }

  #judge(error: unknown): unknown {
    if (error instanceof StoreUnavailableError) return error;
    const message = error instanceof Error ? error.message : String(error);
    switch (faultOf(error)) {
      case 'timeout':
        this.breaker.failed();
        return redisUnavailable(message, error);
      case 'connection':
        return redisUnavailable(message, error);
      case 'refusal':
        // A server that was the primary and is not any more keeps its connections: only a new one finds the new primary.
        if (message.startsWith('READONLY')) this.link.drop(new Error(message));
        return redisUnavailable(message, error);
      case 'input':
        return error;
    }
  }

  async #firstConnection(): Promise<RedisClient> {
    let timer: NodeJS.Timeout | undefined;
    const overdue = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        reject(redisUnavailable(`no connection within ${this.timeoutMs} ms`));
      }, this.timeoutMs);
    });
    try {
      return await Promise.race([this.link.current(), overdue]);
    } catch (error) {
      throw error instanceof StoreUnavailableError ? error : redisUnavailable('not connected', error);
    } finally {
      clearTimeout(timer);
    }
  }
}
