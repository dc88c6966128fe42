import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { Client, type ClientConfig, Pool, type PoolClient, type QueryResultRow } from 'pg';
import { AraConfig } from '../config/ara-config';
import { AraError } from '../notification/ara-error';
import { Clock } from '../notification/clock';
import { StoreUnavailableError } from '../notification/store-unavailable';
import { backoffMs } from '../redis-ha/backoff';
import { CircuitBreaker } from '../redis-ha/circuit-breaker';
import { Metrics } from '../telemetry/metrics';
import { isRefusal } from './connection-fault';
import { describeDurability, type Durability, DURABILITY_QUERY, isDurable } from './durability';
import { EmbeddedPostgres } from './embedded-postgres';
import { migrate, type Migration, migrationStatus } from './migrate';

const EMBEDDED = 'embedded:';
const LATENCY_BUCKETS_SECONDS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1];
/** A server that went away or came back is noticed within this time, also when nobody asks it anything. */
const PROBE_INTERVAL_MS = 1000;
const RETRY = { initialMs: 100, maxMs: 1000 };
/** Counting and the like may take this many times STORE_TIMEOUT_MS: nobody who posts waits for it. */
const SLOW_FACTOR = 10;
/**
 * Every statement here finds its rows by an index. A plan that was made while the tables were empty would read them whole,
 * and prepared statements keep their plans; locks need a fresh snapshot after them.
 */
const SESSION_OPTIONS = '-c enable_seqscan=off -c jit=off -c default_transaction_isolation=read\\ committed';

export interface PostgresHealth {
  /** The last attempt to reach it succeeded. */
  readonly connected: boolean;
  readonly poolSize: number;
  readonly idleConnections: number;
}

/**
 * The only way to reach PostgreSQL: a server by its URL, or an embedded one that is started here. `run` rejects with
 * StoreUnavailableError when the server cannot be reached or does not answer in time, with the server's own error when it
 * refused this very input, and fails at once while the circuit breaker is open.
 */
@Injectable()
export class PostgresService implements OnApplicationShutdown {
  private readonly logger = new Logger(PostgresService.name);
  private readonly breaker: CircuitBreaker;
  private readonly latency;
  private readonly errors;
  private readonly embedded: EmbeddedPostgres | undefined;
  #opening: Promise<void> | undefined;
  #pool: Pool | undefined;
  #probe: NodeJS.Timeout | undefined;
  #durability: Durability | undefined;
  #isConnected = false;
  #isPinging = false;

  constructor(
    private readonly config: AraConfig,
    clock: Clock,
    metrics: Metrics,
  ) {
    // One set of thresholds serves every dependency.
    const { breakerFailureThreshold, breakerSuccessThreshold, breakerResetSeconds } = config.redis;
    this.breaker = new CircuitBreaker(
      {
        failureThreshold: breakerFailureThreshold,
        successThreshold: breakerSuccessThreshold,
        resetMs: breakerResetSeconds * 1000,
      },
      clock,
    );
    this.latency = metrics.labelledHistogram(
      'ara_backend_operation_latency_seconds',
      'How long operations of Redis and PostgreSQL took, failed ones included',
      ['backend', 'operation'],
      LATENCY_BUCKETS_SECONDS,
    );
    this.errors = metrics.labelledCounter(
      'ara_backend_errors_total',
      'Operations of Redis and PostgreSQL that failed',
      ['backend', 'operation'],
    );
    const { url } = config.database;
    if (url.startsWith(EMBEDDED)) this.embedded = new EmbeddedPostgres(url.slice(EMBEDDED.length));
  }

  /** What was confirmed survives a crash of the server; false before `open`. */
  get isDurable(): boolean {
    return isDurable(this.#durability);
  }

  /** undefined as long as nothing needed it. */
  health(): PostgresHealth | undefined {
    const pool = this.#pool;
    if (pool === undefined) return undefined;
    return { connected: this.#isConnected, poolSize: pool.totalCount, idleConnections: pool.idleCount };
  }

  /**
   * Connects, starting the embedded server if that is the one, and brings the tables up to date. Retries for
   * STORE_BOOT_TIMEOUT_SECONDS. Rejects with CONFIG_ERROR for a server that must not be used. Who calls it again waits
   * for the same.
   */
  open(): Promise<void> {
    this.#opening ??= this.#boot().catch((error: unknown) => {
      this.#opening = undefined;
      throw error;
    });
    return this.#opening;
  }

  /** For `ara migrate`: what the database has of the migrations. Changes nothing but to start an embedded server. */
  async migrations(): Promise<Migration[]> {
    return this.#reached((client) => migrationStatus(client));
  }

  /**
   * Runs one statement, prepared under the name of its operation, within STORE_TIMEOUT_MS, waiting for a free connection
   * included (`slow`: ten times that). A name must always come with the same text.
   */
  async run<Row extends QueryResultRow>(
    operation: string,
    text: string,
    values: readonly unknown[],
    pace: 'prompt' | 'slow' = 'prompt',
  ): Promise<Row[]> {
    if (!this.breaker.admits()) {
      this.errors.with('postgres', operation).inc();
      throw new StoreUnavailableError('postgres', 'PostgreSQL did not answer lately and is not asked for now');
    }
    const timeoutMs = this.config.store.timeoutMs * (pace === 'slow' ? SLOW_FACTOR : 1);
    const started = performance.now();
    try {
      const rows = await this.#attempt<Row>(operation, text, values, timeoutMs);
      this.breaker.succeeded();
      this.#setConnected(true);
      return rows;
    } catch (error) {
      this.errors.with('postgres', operation).inc();
      throw this.#judged(error);
    } finally {
      this.latency.with('postgres', operation).observe((performance.now() - started) / 1000);
    }
  }

  async onApplicationShutdown(): Promise<void> {
    await this.close();
  }

  /** Closes the connections, and stops the embedded server. Idempotent. */
  async close(): Promise<void> {
    clearInterval(this.#probe);
    await this.#opening?.catch(() => undefined);
    const pool = this.#pool;
    this.#pool = undefined;
    this.#opening = undefined;
    clearInterval(this.#probe);
    // A server that does not answer does not say goodbye either.
    await Promise.race([pool?.end(), sleep(this.config.store.timeoutMs, undefined, { ref: false })]);
    await this.embedded?.stop();
  }

  async #attempt<Row extends QueryResultRow>(
    operation: string,
    text: string,
    values: readonly unknown[],
    timeoutMs: number,
  ): Promise<Row[]> {
    if (this.#pool === undefined) throw new Error('PostgreSQL is not opened');
    const deadline = performance.now() + timeoutMs;
    const client = await connectionWithin(this.#pool, timeoutMs);
    client.on('error', ignore);
    let fault: unknown;
    try {
      const left = Math.max(1, deadline - performance.now());
      const statement = { name: operation, text, values: [...values], query_timeout: left };
      return (await client.query<Row>(statement)).rows;
    } catch (error) {
      fault = error;
      throw error;
    } finally {
      client.off('error', ignore);
      // After a time-out the answer is still to come: such a connection cannot be used again.
      client.release(fault !== undefined && !isRefusal(fault));
    }
  }

  async #boot(): Promise<void> {
    this.#durability = await this.#reached(async (client) => {
      const durability = await this.#checked(client);
      const applied = await migrate(client);
      if (applied.length > 0) this.logger.log(`Applied the migrations ${applied.join(', ')}`);
      return durability;
    });
    const { poolSize, idleTimeoutSeconds } = this.config.database;
    const pool = new Pool({
      ...this.#connection(),
      max: poolSize,
      idleTimeoutMillis: idleTimeoutSeconds * 1000,
      // A safety net for statements whose caller has given up; callers have their own, shorter clock.
      statement_timeout: this.config.store.timeoutMs * SLOW_FACTOR,
      options: SESSION_OPTIONS,
    });
    // A connection that breaks while idle; without a listener it would end the process.
    pool.on('error', () => {
      this.#setConnected(false);
    });
    this.#pool = pool;
    this.#isConnected = true;
    this.#probe = setInterval(() => void this.#ping(), PROBE_INTERVAL_MS).unref();
  }

  /** Calls `use` with a connection of its own, as soon as there is one, until the time of a start is over. */
  async #reached<T>(use: (client: Client) => Promise<T>): Promise<T> {
    const { bootTimeoutSeconds } = this.config.store;
    const deadline = performance.now() + bootTimeoutSeconds * 1000;
    for (let attempt = 0; ; attempt++) {
      try {
        await this.embedded?.start(deadline);
        return await this.#withClient(deadline, use);
      } catch (error) {
        if (error instanceof AraError || isRefusal(error)) throw error;
        const reason = reasonOf(error);
        const wait = backoffMs(attempt, RETRY);
        if (performance.now() + wait > deadline) {
          throw new StoreUnavailableError(
            'postgres',
            `PostgreSQL (${this.#address()}) could not be used within ${bootTimeoutSeconds} s: ${reason}`,
            error,
          );
        }
        if (attempt === 0) this.logger.warn(`Waiting for PostgreSQL (${this.#address()}): ${reason}`);
        await sleep(wait);
      }
    }
  }

  async #withClient<T>(deadline: number, use: (client: Client) => Promise<T>): Promise<T> {
    const connectionTimeoutMillis = Math.max(
      1,
      Math.min(this.#connection().connectionTimeoutMillis, deadline - performance.now()),
    );
    const client = new Client({ ...this.#connection(), connectionTimeoutMillis });
    client.on('error', ignore);
    try {
      await client.connect();
      return await use(client);
    } finally {
      await client.end();
    }
  }

  async #checked(client: Client): Promise<Durability | undefined> {
    const { rows } = await client.query<{ server_encoding: string }>('SHOW server_encoding');
    if (rows[0]?.server_encoding !== 'UTF8') {
      throw new AraError(
        'CONFIG_ERROR',
        `The database's encoding is ${rows[0]?.server_encoding ?? 'unknown'}; Ara needs UTF8`,
      );
    }
    const [durability] = (await client.query<Durability>(DURABILITY_QUERY)).rows;
    if (durability?.fsync === 'off' && this.config.production) {
      throw new AraError(
        'CONFIG_ERROR',
        'PostgreSQL runs with fsync=off: a crash may lose everything. Production refuses that',
      );
    }
    if (!isDurable(durability) || durability?.full_page_writes === 'off') {
      this.logger.warn(`PostgreSQL may lose confirmed data in a crash: ${describeDurability(durability)}`);
    }
    return durability;
  }

  /** Goes out although the breaker is open, so that a server that is back, or another one in its place, serves again within a second. */
  async #ping(): Promise<void> {
    if (this.#isPinging) return;
    this.#isPinging = true;
    try {
      [this.#durability] = await this.#attempt<Durability>('ping', DURABILITY_QUERY, [], this.config.store.timeoutMs);
      this.breaker.tryAgain();
      this.breaker.succeeded();
      this.#setConnected(true);
    } catch (error) {
      this.#judged(error);
    } finally {
      this.#isPinging = false;
    }
  }

  #judged(error: unknown): unknown {
    if (isRefusal(error)) return error;
    this.breaker.failed();
    const reason = reasonOf(error);
    this.#setConnected(false, reason);
    return new StoreUnavailableError('postgres', `PostgreSQL is unavailable: ${reason}`, error);
  }

  #setConnected(isConnected: boolean, reason = 'connection lost'): void {
    if (this.#isConnected === isConnected || this.#pool === undefined) return;
    this.#isConnected = isConnected;
    if (isConnected) this.logger.log('PostgreSQL answers again');
    else this.logger.warn(`PostgreSQL is unavailable: ${reason}`);
  }

  #connection(): ClientConfig & { connectionTimeoutMillis: number } {
    const { url, connectTimeoutSeconds } = this.config.database;
    return {
      ...(this.embedded?.connection ?? { connectionString: url }),
      connectionTimeoutMillis: connectTimeoutSeconds * 1000,
      application_name: 'ara',
      keepAlive: true,
    };
  }

  /** For people to read: where, without who. */
  #address(): string {
    const { url } = this.config.database;
    if (this.embedded !== undefined || !URL.canParse(url)) return this.embedded === undefined ? 'DATABASE_URL' : url;
    const { host, pathname } = new URL(url);
    return `${host}${pathname}`;
  }
}

/** A break fails the statement under way as well; without a listener the event would end the process. */
function ignore(): void {
  // Told by the statement.
}

/** A connection of the pool within the time; one that comes later goes straight back. */
async function connectionWithin(pool: Pool, timeoutMs: number): Promise<PoolClient> {
  const connecting = pool.connect();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`no connection within ${timeoutMs} ms`));
    }, timeoutMs);
  });
  try {
    return await Promise.race([connecting, late]);
  } catch (error) {
    connecting.then(
      (client) => {
        client.release();
      },
      () => undefined,
    );
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** What went wrong, without what was asked: messages of the server name parameters at most by their number. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(reasonOf).join(', ');
  return error instanceof Error ? error.message : String(error);
}
