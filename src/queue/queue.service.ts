import {
  Injectable,
  Logger,
  type OnApplicationShutdown,
  type OnModuleDestroy,
  type OnModuleInit,
} from '@nestjs/common';
import { Coalescer } from '../coalescing/coalescer';
import { AraConfig } from '../config/ara-config';
import { Clock } from '../notification/clock';
import type { TenantId, UserId } from '../notification/ids';
import { expiresAt, type Notification } from '../notification/notification';
import { StoreUnavailableError } from '../notification/store-unavailable';
import { QueueMetrics } from './queue.metrics';
import {
  type Append,
  type AppendOutcome,
  type EntryBody,
  type EntryRef,
  type Position,
  QueueStore,
  type StoredEntry,
  type StreamKey,
} from './queue-store';

/** Users per append: one round trip each. */
const USERS_PER_APPEND = 500;
const WRITES_PER_BATCH = 500;
/** A page of a replay, and the most that one sweep gives one user. */
const PAGE_SIZE = 100;
const STREAMS_PER_READ = 500;

export interface KeepRequest {
  readonly tenant: TenantId;
  readonly users: readonly UserId[];
  readonly notification: Notification;
  /** The frame's JSON. */
  readonly json: string;
  readonly isPresent: (user: UserId) => boolean;
  readonly dedupeKey: string | undefined;
}

/** What the store took. */
export interface Kept {
  /** Users whose entry is new in the store: they are to be sent it. Empty when another node was first. */
  readonly users: readonly UserId[];
  readonly durable: boolean;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

/**
 * The policy of the offline queue: what is kept how long, writes gathered into batches, expired entries swept, figures
 * counted. Rejects with StoreUnavailableError when the store does not answer within STORE_TIMEOUT_MS.
 */
@Injectable()
export class QueueService implements OnModuleInit, OnModuleDestroy, OnApplicationShutdown {
  private readonly logger = new Logger(QueueService.name);
  private readonly appends: Coalescer<Append, AppendOutcome>;
  private readonly commits: Coalescer<EntryRef, true>;
  private readonly deliveries: Coalescer<EntryRef, true>;
  #sweepTimer: NodeJS.Timeout | undefined;

  constructor(
    private readonly store: QueueStore,
    private readonly config: AraConfig,
    private readonly clock: Clock,
    private readonly metrics: QueueMetrics,
  ) {
    const options = { maxBatch: WRITES_PER_BATCH, ...this.timeout() };
    this.appends = new Coalescer((items) => store.append(items, config.queue.maxSizePerUser, clock.now()), options);
    this.commits = new Coalescer(async (items) => (await store.commit(items), items.map(() => true)), options);
    this.deliveries = new Coalescer((items) => this.writeDeliveries(items), options);
  }

  get isEnabled(): boolean {
    return this.config.queue.enabled;
  }

  get backend(): QueueStore['backend'] {
    return this.store.backend;
  }

  get isDurable(): boolean {
    return this.isEnabled && this.store.isDurable();
  }

  async onModuleInit(): Promise<void> {
    if (!this.isEnabled) return;
    await this.store.open();
    this.#sweepTimer = setInterval(() => void this.sweep(), this.config.queue.cleanupSeconds * 1000).unref();
  }

  onModuleDestroy(): void {
    clearInterval(this.#sweepTimer);
  }

  /** After the last connection is gone: what they took is committed before the store closes. */
  async onApplicationShutdown(): Promise<void> {
    await this.flush();
    await this.store.close();
  }

  /** Stores a notification for all of the users; 500 of them per round trip. */
  async keep(request: KeepRequest): Promise<Kept> {
    const { notification, users, tenant } = request;
    const end = this.endOf(notification);
    const body: EntryBody = {
      id: notification.id,
      priority: notification.priority,
      expiresAt: end,
      json: request.json,
    };
    const chunks = inChunks(users, USERS_PER_APPEND);
    const outcomes = await Promise.all(
      chunks.map((chunk, index) =>
        this.appends.submit({
          tenant,
          users: chunk,
          body,
          present: new Set(chunk.flatMap((user, at) => (request.isPresent(user) ? [at] : []))),
          // Each chunk is claimed by itself: a node that dies between two leaves the second to the others.
          ...(request.dedupeKey === undefined ? {} : { dedupeKey: `${request.dedupeKey}#${index}` }),
        }),
      ),
    );
    let stored: readonly UserId[] = [];
    outcomes.forEach((outcome, index) => {
      if (outcome.kind !== 'stored') return;
      stored = stored.length === 0 ? (chunks[index] ?? []) : [...stored, ...(chunks[index] ?? [])];
      this.metrics.dropped.inc(outcome.dropped);
    });
    return { users: stored, durable: this.store.isDurable(), expiresAt: end };
  }

  /** When an entry stored now ends: the earlier of the notification's own life and the queue's, in ms since the epoch. */
  endOf(notification: Notification): number {
    return Math.min(expiresAt(notification), this.clock.now() + this.config.queue.ttlSeconds * 1000);
  }

  /** Entries of a user behind `after`, a page at a time. */
  readAfter(stream: StreamKey, after: Position | undefined): Promise<readonly StoredEntry[]> {
    return this.store.readAfter(stream, after, PAGE_SIZE, this.clock.now());
  }

  /** Uncommitted entries of many users; asked in round trips of 500. */
  async *readMany(
    streams: readonly StreamKey[],
  ): AsyncGenerator<{ readonly stream: StreamKey; readonly entries: readonly StoredEntry[] }> {
    for (const chunk of inChunks(streams, STREAMS_PER_READ)) {
      yield* await this.store.readMany(chunk, PAGE_SIZE, this.clock.now());
    }
  }

  /** Removes an entry that has reached its user. */
  async commit(entry: EntryRef): Promise<void> {
    await this.commits.submit(entry);
  }

  /** Counts a connection that took an entry without acknowledging it. */
  async recordDelivery(entry: EntryRef): Promise<void> {
    await this.deliveries.submit(entry);
  }

  /** Entries that were left for absent users by a dispatch. */
  countEnqueued(count: number): void {
    this.metrics.enqueued.inc(count);
  }

  countReplayed(count: number): void {
    this.metrics.replayed.inc(count);
  }

  size(): Promise<{ readonly messages: number; readonly users: number }> {
    return this.store.size(this.clock.now());
  }

  /** Removes expired entries now; failures are logged, the next round tries again. */
  async sweep(): Promise<void> {
    try {
      this.metrics.expired.inc(await this.store.sweep(this.clock.now()));
    } catch (error) {
      this.logger.warn(`Could not remove expired queue entries: ${messageOf(error)}`);
    }
  }

  /** Resolves when all writes so far have been answered. */
  async flush(): Promise<void> {
    await Promise.all([this.appends.idle(), this.commits.idle(), this.deliveries.idle()]);
  }

  private async writeDeliveries(items: readonly EntryRef[]): Promise<true[]> {
    const givenUp = await this.store.recordDelivery(items, this.config.queue.maxDeliveries);
    if (givenUp > 0) this.metrics.dropped.inc(givenUp);
    return items.map(() => true);
  }

  private timeout(): { readonly timeoutMs?: number; readonly onTimeout?: () => Error } {
    const { backend } = this.store;
    if (backend !== 'redis' && backend !== 'postgres') return {};
    const { timeoutMs } = this.config.store;
    return {
      timeoutMs,
      onTimeout: () => new StoreUnavailableError(backend, `The queue store did not answer within ${timeoutMs} ms`),
    };
  }
}

function inChunks<T>(items: readonly T[], size: number): readonly (readonly T[])[] {
  if (items.length <= size) return items.length === 0 ? [] : [items];
  return Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size));
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
