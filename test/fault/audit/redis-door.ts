import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { until } from '../../support/until';
import type { Door } from './door';
import type { Answer } from './ledger';
import type { PostPlan, RequestPlan } from './plan';

const LISTEN_MS = 15_000;
/** Every so many posts that have a name are published twice, as by somebody who got no answer. */
const TWICE_EVERY = 5;

/** Redis as a door: published to all nodes, or written into a stream that they share. */
export class RedisDoor implements Door {
  /** Messages published once more, by name: nothing may come of them. */
  repeated = 0;
  readonly #redis: Redis;

  constructor(
    url: string,
    /** undefined: Pub/Sub. */
    private readonly stream: string | undefined,
  ) {
    this.#redis = new Redis(url);
    this.#redis.on('error', () => undefined);
  }

  /** Resolves when so many nodes hear what is published. What it says to them is malformed, and counted as such only. */
  async opened(nodes: number): Promise<void> {
    if (this.stream !== undefined) return;
    await until(
      'all nodes listen',
      async () => (await this.#redis.publish('notification:broadcast', '')) === nodes,
      LISTEN_MS,
    );
  }

  async post({ endpoint, posts }: RequestPlan): Promise<readonly Answer[]> {
    return Promise.all(posts.map((post) => this.#publish(endpoint, post)));
  }

  close(): void {
    this.#redis.disconnect();
  }

  async #publish(endpoint: RequestPlan['endpoint'], { n, users, priority }: PostPlan): Promise<Answer> {
    const id = n % 3 === 0 ? randomUUID() : undefined;
    const key = n % 3 === 1 ? `post-${n}` : undefined;
    const [user = ''] = users;
    const message = JSON.stringify({
      ...(endpoint === 'send-to-users' ? { type: 'users', target: users } : { type: 'user', target: user }),
      event: { event_type: 'audit', payload: { n }, priority },
      ...(id !== undefined && { id }),
      ...(key !== undefined && { idempotency_key: key }),
    });
    const accepted: Answer = { kind: 'accepted', durable: true, queued: 0, ...(id !== undefined && { id }) };
    if (this.stream !== undefined) {
      await this.#redis.xadd(this.stream, '*', 'message', message);
      return accepted;
    }
    const channel = `notification:user:${user}`;
    const heard = await this.#redis.publish(channel, message);
    if (heard > 0 && n % 3 !== 2 && n % TWICE_EVERY === 0) {
      this.repeated++;
      await this.#redis.publish(channel, message);
    }
    return heard > 0 ? accepted : { kind: 'refused', isSent: false };
  }
}
