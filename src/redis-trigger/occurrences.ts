import { createHash, randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { AraConfig } from '../config/ara-config';
import { RedisHaService } from '../redis-ha/redis-ha.service';
import { RedisScript } from '../redis-ha/redis-script';

/** Equal messages that come later than this after each other are counted anew. */
const REMEMBERED_MS = 120_000;
/** Nodes hear one message within milliseconds, a busy one later; what is so far apart are two. */
const RECENT_MS = 5_000;
const SCRIPT = RedisScript.fromFiles(__dirname, 'occurrence.lua');

/** What all nodes know a message by. */
export interface Occurrence {
  /** Unlike that of every other message, also of one with the same bytes. */
  readonly name: string;
  /** The same on all nodes; milliseconds since the epoch. */
  readonly since: number;
}

interface Listener {
  readonly id: string;
  /** By Redis' clock, in milliseconds since the epoch. */
  since?: number;
}

/**
 * Tells equal messages without an id apart, alike on all nodes that hear them: by how many of them came before. Each
 * node counts in Redis, where a node that came later, or was away, finds out what the others have counted.
 */
@Injectable()
export class Occurrences {
  readonly #prefix: string;
  #listener: Listener = { id: randomUUID() };

  constructor(
    private readonly redis: RedisHaService,
    config: AraConfig,
  ) {
    this.#prefix = `${config.cluster.sessionPrefix}:heard`;
  }

  /** This node listens from now on, and has missed nothing that it should have counted. */
  listening(): void {
    const listener = this.#listener;
    this.redis
      .run('trigger_time', (redis) => redis.time())
      .then(([seconds]) => {
        // The second that follows: never earlier than it was.
        listener.since = (Number(seconds) + 1) * 1000;
      })
      // Without it, it counts as one that has just come.
      .catch(() => undefined);
  }

  /** This node may have missed messages: it goes on as one that has just come. */
  begin(): void {
    this.#listener = { id: randomUUID() };
    this.listening();
  }

  /** One round trip. Rejects with StoreUnavailableError. */
  async next(channel: string, text: string): Promise<Occurrence> {
    const digest = createHash('sha256').update(channel).update('\0').update(text).digest('base64url');
    const { id, since: listensSince = '' } = this.#listener;
    const answer = await this.redis.run('trigger_occurrence', (redis) =>
      SCRIPT.run(redis, [`${this.#prefix}:${digest}`], [id, RECENT_MS, REMEMBERED_MS, listensSince]),
    );
    const [number, since] = answer as [number, number];
    return { name: `${digest}:${since}:${number}`, since };
  }
}
