import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { AraConfig } from '../config/ara-config';
import { Clock } from '../notification/clock';
import { type Counter, Metrics } from '../telemetry/metrics';
import { CircuitBreaker, type CircuitState } from './circuit-breaker';
import { CONNECT_TIMEOUT_MS, createRedisClient, createSubscriberClient, type RedisClient } from './redis-client';
import { type OperationMetrics, RedisConnection } from './redis-connection';
import { type RedisDurability, readDurability } from './redis-durability';
import { redisUnavailable } from './redis-error';
import { RedisLink, type RedisLinkOptions } from './redis-link';
import { RedisSubscription } from './redis-subscription';
import { describeAddress, parseRedisUrl, type RedisAddress } from './redis-url';

/** As /health and /stats show it. */
export interface RedisHealth {
  /** `disabled`: nobody has asked for Redis. */
  readonly status: 'healthy' | 'reconnecting' | 'circuit_open' | 'disabled';
  /** Every connection that is wanted is there. */
  readonly connected: boolean;
  readonly circuitBreakerState: CircuitState;
  readonly circuitBreakerFailures: number;
  /** Failed attempts since the connections were last up. */
  readonly reconnectionAttempts: number;
  /** Connections that came back since the start. */
  readonly totalReconnections: number;
}

type LinkState = Pick<RedisLink<RedisClient>, 'isUp' | 'isUsed' | 'attempts' | 'reconnections' | 'lastFault' | 'close'>;

const CIRCUIT_NUMBER: Readonly<Record<CircuitState, number>> = { closed: 0, open: 1, half_open: 2 };
const LATENCY_BUCKETS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1];

/**
 * The only way to Redis. Connects on first use, keeps its connections for ever, and stands one circuit breaker before
 * all commands. Everything rejects with StoreUnavailableError while Redis cannot be reached.
 */
@Injectable()
export class RedisHaService implements OnApplicationShutdown {
  private readonly logger = new Logger('Redis');
  readonly #config: AraConfig;
  readonly #address: RedisAddress;
  readonly #breaker: CircuitBreaker;
  readonly #metrics: OperationMetrics;
  readonly #reconnections: Counter;
  readonly #links: LinkState[] = [];
  readonly #commands: RedisConnection;

  constructor(config: AraConfig, clock: Clock, metrics: Metrics) {
    const { url, breakerFailureThreshold, breakerSuccessThreshold, breakerResetSeconds } = config.redis;
    this.#config = config;
    this.#address = parseRedisUrl(url);
    this.#breaker = new CircuitBreaker(
      {
        failureThreshold: breakerFailureThreshold,
        successThreshold: breakerSuccessThreshold,
        resetMs: breakerResetSeconds * 1000,
      },
      clock,
    );
    this.#metrics = {
      latency: metrics.labelledHistogram(
        'ara_backend_operation_latency_seconds',
        'How long operations of Redis and PostgreSQL took, failed ones included',
        ['backend', 'operation'],
        LATENCY_BUCKETS,
      ),
      errors: metrics.labelledCounter('ara_backend_errors_total', 'Operations of Redis and PostgreSQL that failed', [
        'backend',
        'operation',
      ]),
    };
    metrics.gauge('ara_redis_connection_status', 'Whether Redis is connected (1) or not (0)', {
      own: () => (this.health().connected ? 1 : 0),
      across: 'min',
    });
    metrics.gauge(
      'ara_redis_circuit_breaker_state',
      'The circuit breaker before Redis: 0 closed, 1 open, 2 half open',
      { own: () => CIRCUIT_NUMBER[this.#breaker.state], across: 'max' },
    );
    this.#reconnections = metrics.counter(
      'ara_redis_reconnections_total',
      'Connections to Redis that came back after they were lost',
    );
    this.#commands = this.dedicated('commands');
  }

  /** Whether keys of one call must lie in one slot. */
  get isCluster(): boolean {
    return this.#address.kind === 'cluster';
  }

  /** Runs commands on the connection that all share, pipelined; see RedisConnection.run. Never for commands that block. */
  run<T>(operation: string, command: (redis: RedisClient) => Promise<T>): Promise<T> {
    return this.#commands.run(operation, command);
  }

  /**
   * A further connection for commands, for those that block. Closed with the service.
   *
   * @param commandTimeoutMs longest wait for an answer; STORE_TIMEOUT_MS unless told
   */
  dedicated(name: string, commandTimeoutMs = this.#config.store.timeoutMs): RedisConnection {
    const link = this.#link(name, {
      create: () => createRedisClient(this.#address, { name: `ara-${name}`, commandTimeoutMs }),
    });
    return new RedisConnection(link, this.#breaker, this.#metrics, this.#config.store.timeoutMs);
  }

  /** A connection for Pub/Sub of its own. Closed with the service. */
  subscription(name: string): RedisSubscription {
    const options = { name: `ara-${name}`, commandTimeoutMs: CONNECT_TIMEOUT_MS };
    return new RedisSubscription((hooks) =>
      this.#link(name, { ...hooks, create: (attempt) => createSubscriberClient(this.#address, attempt, options) }),
    );
  }

  /**
   * Resolves when Redis serves; for those who cannot start without it. Rejects when it does not within the time that a
   * start may retry (STORE_BOOT_TIMEOUT_SECONDS).
   */
  async waitUntilReady(): Promise<void> {
    const { bootTimeoutSeconds } = this.#config.store;
    let timer: NodeJS.Timeout | undefined;
    const overdue = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        const reason = this.#links.find(({ lastFault }) => lastFault !== undefined)?.lastFault;
        const where = `${describeAddress(this.#address)} cannot be reached within ${bootTimeoutSeconds} s`;
        reject(redisUnavailable(reason === undefined ? where : `${where}: ${reason.message}`, reason));
      }, bootTimeoutSeconds * 1000);
    });
    try {
      await Promise.race([this.#commands.whenUp(), overdue]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** What Redis promises about data that it was given. */
  durability(): Promise<RedisDurability> {
    return this.run('durability', readDurability);
  }

  health(): RedisHealth {
    const used = this.#links.filter(({ isUsed }) => isUsed);
    const connected = used.length > 0 && used.every(({ isUp }) => isUp);
    const { state, failures } = this.#breaker;
    return {
      status: status(used.length > 0, connected, state),
      connected,
      circuitBreakerState: state,
      circuitBreakerFailures: failures,
      reconnectionAttempts: used.reduce((sum, { attempts }) => sum + attempts, 0),
      totalReconnections: this.#links.reduce((sum, { reconnections }) => sum + reconnections, 0),
    };
  }

  /** After everybody else's shutdown, since stores still write then. */
  onApplicationShutdown(): void {
    for (const link of this.#links) link.close();
  }

  #link<Client extends RedisClient>(
    name: string,
    options: Omit<RedisLinkOptions<Client>, 'backoff' | 'onFault' | 'onPong'>,
  ): RedisLink<Client> {
    const { backoffInitialMs, backoffMaxMs } = this.#config.redis;
    const where = `${describeAddress(this.#address)} (${name})`;
    const link = new RedisLink<Client>({
      ...options,
      backoff: { initialMs: backoffInitialMs, maxMs: backoffMaxMs },
      onUp: (client, isFirst) => {
        this.logger.log(`${isFirst ? 'Connected' : 'Connected again'} to ${where}`);
        if (!isFirst) this.#reconnections.inc();
        options.onUp?.(client, isFirst);
        void this.#prove();
      },
      onPong: () => {
        if (this.#breaker.state === 'open') void this.#prove();
      },
      onFault: ({ message }) => {
        this.#breaker.failed();
        // One line per outage: the attempts that follow are told by metrics.
        if (link.attempts === 1) this.logger.warn(`Not connected to ${where}: ${message}`);
      },
    });
    this.#links.push(link);
    return link;
  }

  /** A new connection, or one that answers again, is news for an open circuit: some calls prove whether it holds, so that nobody has to wait for the time to pass. */
  async #prove(): Promise<void> {
    this.#breaker.tryAgain();
    try {
      while (this.#breaker.state === 'half_open') await this.run('ping', (redis) => redis.ping());
    } catch {
      // Counted by the breaker or told by the link.
    }
  }
}

function status(isUsed: boolean, connected: boolean, circuit: CircuitState): RedisHealth['status'] {
  if (!isUsed) return 'disabled';
  if (circuit === 'open') return 'circuit_open';
  return connected ? 'healthy' : 'reconnecting';
}
