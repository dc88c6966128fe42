import { setTimeout as wait } from 'node:timers/promises';
import { type BeforeApplicationShutdown, Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { AraConfig } from '../config/ara-config';
import { Clock } from '../notification/clock';
import type { RedisConnection } from '../redis-ha/redis-connection';
import { RedisHaService } from '../redis-ha/redis-ha.service';
import { RepeatedWarnings } from '../telemetry/repeated-warnings';
import { TriggerIntake } from './trigger-intake';

const GROUP = 'ara';
const FIELD = 'message';
const ENTRIES_PER_READ = 100;
/** Longest silence of a read; less than what a connection may be silent before it counts as dead. */
const BLOCK_MS = 1_000;
/** An entry that was read so long ago and is not acknowledged: its node died, or could not take it. */
const ABANDONED_MS = 30_000;
const CLAIM_EVERY_MS = 10_000;
/** A consumer that has not asked for so long has ended: names of nodes are new at each start unless configured. */
const GONE_MS = 600_000;
const PAUSE_AFTER_FAULT_MS = 1_000;

/** An entry's id, and its fields and values in turn; null when it was deleted meanwhile. */
type StreamEntry = readonly [id: string, fields: readonly string[] | null];

/**
 * Reads REDIS_INGEST_STREAM as one consumer of a group, so that each entry is taken by one node. An entry is acknowledged
 * and deleted once it is accepted; those of a node that died, or that could not be accepted, are taken over by any node
 * after 30 s. At least once: the entry's id names the notification, which keeps repeats from being sent.
 */
@Injectable()
export class IngestStreamService implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly warnings: RepeatedWarnings;
  #connection: RedisConnection | undefined;
  #running: Promise<void> | undefined;
  #isStopped = false;
  #claimedAt = 0;

  constructor(
    private readonly redis: RedisHaService,
    private readonly intake: TriggerIntake,
    private readonly config: AraConfig,
    private readonly clock: Clock,
  ) {
    this.warnings = new RepeatedWarnings(new Logger('RedisIngest'), clock);
  }

  onApplicationBootstrap(): void {
    const { ingestStream } = this.config.redis;
    if (ingestStream === undefined) return;
    this.#connection = this.redis.dedicated('ingest', BLOCK_MS + this.config.store.timeoutMs);
    this.#running = this.run(this.#connection, ingestStream);
  }

  /** Entries that were read are taken to their end; what comes later is read by others. */
  async beforeApplicationShutdown(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
    this.#connection?.close();
  }

  private async run(connection: RedisConnection, stream: string): Promise<void> {
    let hasGroup = false;
    while (!this.#isStopped) {
      try {
        if (!hasGroup) await this.createGroup(connection, stream);
        hasGroup = true;
        await this.take(connection, stream, await this.abandoned(connection, stream));
        await this.take(connection, stream, await this.next(connection, stream));
      } catch (error) {
        // The stream may have been deleted, the group with it.
        hasGroup = false;
        const reason = error instanceof Error ? error.message : String(error);
        this.warnings.warn('read', `Cannot read the stream ${stream}: ${reason}`);
        await wait(PAUSE_AFTER_FAULT_MS);
      }
    }
  }

  private async take(connection: RedisConnection, stream: string, entries: readonly StreamEntry[]): Promise<void> {
    if (entries.length === 0) return;
    const outcomes = await Promise.all(
      entries.map(([id, fields]) => {
        const [since] = id.split('-');
        const outcome = this.intake.take(messageOf(fields), {
          name: stream,
          kind: 'stream',
          occurrence: () => ({ name: `${stream}\0${id}`, since: Number(since) }),
        });
        return Promise.resolve(outcome);
      }),
    );
    const done = entries.filter((_, index) => outcomes[index] !== 'unavailable').map(([id]) => id);
    if (done.length === 0) return;
    await connection.run('ingest_ack', (redis) =>
      Promise.all([redis.xack(stream, GROUP, ...done), redis.xdel(stream, ...done)]),
    );
  }

  private async next(connection: RedisConnection, stream: string): Promise<readonly StreamEntry[]> {
    const { nodeId } = this.config.cluster;
    const answer = await connection.run('ingest_read', (redis) =>
      redis.xreadgroup('GROUP', GROUP, nodeId, 'COUNT', ENTRIES_PER_READ, 'BLOCK', BLOCK_MS, 'STREAMS', stream, '>'),
    );
    const [first] = (answer ?? []) as readonly (readonly [string, readonly StreamEntry[]])[];
    return first?.[1] ?? [];
  }

  /** Entries that nobody works on any more; looked for every 10 s, and again at once while there are more. */
  private async abandoned(connection: RedisConnection, stream: string): Promise<readonly StreamEntry[]> {
    const now = this.clock.now();
    if (now - this.#claimedAt < CLAIM_EVERY_MS) return [];
    const { nodeId } = this.config.cluster;
    const [cursor, entries] = (await connection.run('ingest_claim', (redis) =>
      redis.xautoclaim(stream, GROUP, nodeId, ABANDONED_MS, '0-0', 'COUNT', ENTRIES_PER_READ),
    )) as [string, readonly StreamEntry[]];
    if (cursor === '0-0') {
      this.#claimedAt = now;
      await this.forgetConsumers(connection, stream);
    }
    return entries;
  }

  private async forgetConsumers(connection: RedisConnection, stream: string): Promise<void> {
    await connection.run('ingest_consumers', async (redis) => {
      const consumers = (await redis.xinfo('CONSUMERS', stream, GROUP)) as readonly (readonly unknown[])[];
      for (const [, name, , pending, , idle] of consumers) {
        if (pending === 0 && Number(idle) > GONE_MS) await redis.xgroup('DELCONSUMER', stream, GROUP, String(name));
      }
    });
  }

  /** From the first entry on: what was written before Ara came is meant for it too. */
  private async createGroup(connection: RedisConnection, stream: string): Promise<void> {
    await connection.run('ingest_group', async (redis) => {
      try {
        await redis.xgroup('CREATE', stream, GROUP, '0', 'MKSTREAM');
      } catch (error) {
        if (!(error instanceof Error && error.message.startsWith('BUSYGROUP'))) throw error;
      }
    });
  }
}

/** The text in the field `message`; an entry without it is as malformed as an empty one. */
function messageOf(fields: readonly string[] | null): string {
  const at = fields?.findIndex((name, index) => index % 2 === 0 && name === FIELD) ?? -1;
  return at === -1 ? '' : (fields?.[at + 1] ?? '');
}
