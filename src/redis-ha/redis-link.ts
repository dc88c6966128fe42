import { type BackoffOptions, backoffMs } from './backoff';
import { CONNECT_TIMEOUT_MS, ping, type RedisClient } from './redis-client';

/** How often a link is tried, and how long the answer may take: a dead one is noticed within 10 s. */
const PING_EVERY_MS = 3_000;
const PING_TIMEOUT_MS = 4_000;

export interface RedisLinkOptions<Client extends RedisClient> {
  /** A fresh client, not yet connected. `attempt` counts the failures since the link was last up. */
  readonly create: (attempt: number) => Client;
  readonly backoff: BackoffOptions;
  /** Runs on a new connection before anybody else may use it; a rejection fails the attempt. */
  readonly prepare?: (client: Client) => Promise<void>;
  readonly onUp?: (client: Client, isFirst: boolean) => void;
  /** The link is alive: it answered a ping. */
  readonly onPong?: () => void;
  /** An attempt failed, or the link broke or fell silent. Once per fault, however many commands were under way. */
  readonly onFault?: (reason: Error) => void;
}

/**
 * Keeps one connection to Redis from its first use until it is closed: connects, notices when the other side is gone,
 * connects again for ever with growing pauses. Every attempt has a client of its own, so that nothing of a broken
 * connection lives on in the next. Opens nothing before `start`.
 */
export class RedisLink<Client extends RedisClient> {
  #present: Client | undefined;
  /** Connecting, or connected. */
  #candidate: Client | undefined;
  #state: 'idle' | 'trying' | 'up' | 'pausing' | 'closed' = 'idle';
  #attempts = 0;
  #ups = 0;
  #lastFault: Error | undefined;
  #timer: NodeJS.Timeout | undefined;
  #waiting: { readonly resolve: (client: Client) => void; readonly reject: (reason: Error) => void }[] = [];

  constructor(private readonly options: RedisLinkOptions<Client>) {}

  /** The connection, while it is up. */
  get client(): Client | undefined {
    return this.#present;
  }

  get isUp(): boolean {
    return this.#present !== undefined;
  }

  /** Whether anybody asked for it, and it was not closed. */
  get isUsed(): boolean {
    return this.#state !== 'idle' && this.#state !== 'closed';
  }

  /** Failed attempts since the link was last up. */
  get attempts(): number {
    return this.#attempts;
  }

  get reconnections(): number {
    return Math.max(0, this.#ups - 1);
  }

  get lastFault(): Error | undefined {
    return this.#lastFault;
  }

  start(): void {
    if (this.#state === 'idle') void this.#attempt();
  }

  /** The connection, or the one that is being made; rejects at once during a pause, and when the attempt fails. */
  async current(): Promise<Client> {
    this.start();
    if (this.#present !== undefined) return this.#present;
    if (this.#state !== 'trying') throw this.#lastFault ?? new Error('the connection is closed');
    return this.#next();
  }

  /** The connection, whatever number of attempts it takes; rejects when the link is closed. */
  async whenUp(): Promise<Client> {
    for (;;) {
      try {
        return await this.current();
      } catch (error) {
        if (this.#state === 'closed') throw error;
        if (this.#state === 'pausing') await this.#next().catch(() => undefined);
      }
    }
  }

  /** Gives the present connection up, because it turned out to be of no use, and makes a new one. */
  drop(reason: Error): void {
    if (this.#state === 'up') this.#fault(reason);
  }

  close(): void {
    this.#state = 'closed';
    clearTimeout(this.#timer);
    this.#discard();
    this.#settle((waiter) => {
      waiter.reject(new Error('the connection is closed'));
    });
  }

  #next(): Promise<Client> {
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  async #attempt(): Promise<void> {
    this.#state = 'trying';
    const client = this.options.create(this.#attempts);
    this.#candidate = client;
    // The reason of a failed attempt comes by event; what comes later is told by the end of the connection.
    let reason: Error | undefined;
    client.on('error', (error: Error) => (reason ??= error));
    client.on('node error', (error: Error) => (reason ??= error));
    let timer: NodeJS.Timeout | undefined;
    const over = new Promise<never>((_, reject) => {
      client.once('end', () => {
        reject(new Error('the connection was closed'));
      });
      timer = setTimeout(() => {
        reject(new Error(`no connection within ${CONNECT_TIMEOUT_MS} ms`));
      }, CONNECT_TIMEOUT_MS);
    });
    const failed = (error: unknown): void => {
      clearTimeout(timer);
      if (this.#candidate === client) this.#fault(reason ?? asError(error));
    };
    try {
      // ioredis may leave a connect() that came to nothing without an answer, but it always tells the end.
      await Promise.race([this.#establish(client), over]);
    } catch (error) {
      over.catch(() => undefined);
      failed(error);
      return;
    }
    clearTimeout(timer);
    reason = undefined;
    // Closed while it was being made.
    if (this.#candidate !== client) return;
    this.#up(client);
    over.catch(failed);
  }

  async #establish(client: Client): Promise<void> {
    await client.connect();
    await this.options.prepare?.(client);
  }

  #up(client: Client): void {
    this.#state = 'up';
    this.#present = client;
    this.#attempts = 0;
    this.#ups++;
    this.#schedulePing(client);
    this.options.onUp?.(client, this.#ups === 1);
    this.#settle((waiter) => {
      waiter.resolve(client);
    });
  }

  #fault(reason: Error): void {
    this.#discard();
    this.#lastFault = reason;
    this.#state = 'pausing';
    const pause = backoffMs(this.#attempts++, this.options.backoff);
    this.#timer = setTimeout(() => void this.#attempt(), pause).unref();
    this.options.onFault?.(reason);
    this.#settle((waiter) => {
      waiter.reject(reason);
    });
  }

  #discard(): void {
    clearTimeout(this.#timer);
    this.#present = undefined;
    const client = this.#candidate;
    this.#candidate = undefined;
    // Saying goodbye to one that has ended would only leave a timer behind.
    if (client !== undefined && client.status !== 'end') client.disconnect();
  }

  #schedulePing(client: Client): void {
    this.#timer = setTimeout(() => {
      ping(client, PING_TIMEOUT_MS).then(
        () => {
          if (this.#present !== client) return;
          this.#schedulePing(client);
          this.options.onPong?.();
        },
        (error: unknown) => {
          if (this.#present === client) this.#fault(asError(error));
        },
      );
    }, PING_EVERY_MS).unref();
  }

  #settle(how: (waiter: { resolve: (client: Client) => void; reject: (reason: Error) => void }) => void): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    waiting.forEach(how);
  }
}

function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}
