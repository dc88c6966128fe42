import type { Redis } from 'ioredis';
import { faultOf } from './redis-error';
import type { RedisLink, RedisLinkOptions } from './redis-link';

/** `channel` is the one it was published to, also for a pattern. Called in the order of arrival; must not throw. */
export type MessageHandler = (message: string, channel: string) => void;

type Kind = 'channel' | 'pattern';

const NAMES_PER_COMMAND = 500;

/**
 * Hears Redis Pub/Sub on a connection of its own, for ever: after a broken connection it subscribes to everything again
 * before it counts as connected. What was published in between is lost: `onReconnected` is the place to catch up.
 */
export class RedisSubscription {
  readonly #handlers: Readonly<Record<Kind, Map<string, MessageHandler>>> = { channel: new Map(), pattern: new Map() };
  readonly #hooks: (() => void)[] = [];
  readonly #link: RedisLink<Redis>;

  /** @param makeLink is given what the link has to do when it comes up. */
  constructor(makeLink: (options: Pick<RedisLinkOptions<Redis>, 'prepare' | 'onUp'>) => RedisLink<Redis>) {
    this.#link = makeLink({
      prepare: (client) => this.#prepare(client),
      onUp: (_, isFirst) => {
        if (!isFirst) for (const hook of this.#hooks) hook();
      },
    });
  }

  get isConnected(): boolean {
    return this.#link.client !== undefined;
  }

  /**
   * Resolves when Redis has confirmed: from then on no message is missed while the connection holds. Waits through an
   * outage; rejects when Redis forbids it or the subscription is closed. One handler per name: a later one replaces it.
   */
  subscribe(channel: string, handler: MessageHandler): Promise<void> {
    return this.#add('channel', channel, handler);
  }

  /** The same for a pattern with `*`, `?` or `[…]`. */
  psubscribe(pattern: string, handler: MessageHandler): Promise<void> {
    return this.#add('pattern', pattern, handler);
  }

  /** From now on the handler is not called any more; resolves when Redis knows it too, or is not there to be told. */
  unsubscribe(channel: string): Promise<void> {
    return this.#remove('channel', channel);
  }

  punsubscribe(pattern: string): Promise<void> {
    return this.#remove('pattern', pattern);
  }

  /** Runs after each reconnection, when everything is subscribed again. Must not throw. */
  onReconnected(hook: () => void): void {
    this.#hooks.push(hook);
  }

  close(): void {
    this.#link.close();
  }

  async #add(kind: Kind, name: string, handler: MessageHandler): Promise<void> {
    this.#handlers[kind].set(name, handler);
    for (;;) {
      const client = await this.#link.whenUp();
      try {
        // Also when it was part of the connection's preparation: then this only confirms it.
        await (kind === 'channel' ? client.subscribe(name) : client.psubscribe(name));
        return;
      } catch (error) {
        if (faultOf(error) === 'refusal' || faultOf(error) === 'input') {
          this.#handlers[kind].delete(name);
          throw error;
        }
        if (this.#link.client === client) this.#link.drop(new Error('a subscription was not confirmed'));
      }
    }
  }

  async #remove(kind: Kind, name: string): Promise<void> {
    if (!this.#handlers[kind].delete(name)) return;
    const client = this.#link.client;
    if (client !== undefined) await forget(client, kind, name);
  }

  async #prepare(client: Redis): Promise<void> {
    client.on('message', (channel, message) => {
      this.#dispatch(client, 'channel', channel, message, channel);
    });
    client.on('pmessage', (pattern, channel, message) => {
      this.#dispatch(client, 'pattern', pattern, message, channel);
    });
    for (const names of inChunks([...this.#handlers.channel.keys()])) await client.subscribe(...names);
    for (const names of inChunks([...this.#handlers.pattern.keys()])) await client.psubscribe(...names);
  }

  #dispatch(client: Redis, kind: Kind, name: string, message: string, channel: string): void {
    const handler = this.#handlers[kind].get(name);
    // Removed while the connection was being prepared.
    if (handler === undefined) void forget(client, kind, name);
    else handler(message, channel);
  }
}

/** A connection that breaks now forgets it too. */
async function forget(client: Redis, kind: Kind, name: string): Promise<void> {
  await (kind === 'channel' ? client.unsubscribe(name) : client.punsubscribe(name)).catch(() => undefined);
}

function inChunks(names: readonly string[]): readonly (readonly string[])[] {
  return Array.from({ length: Math.ceil(names.length / NAMES_PER_COMMAND) }, (_, n) =>
    names.slice(n * NAMES_PER_COMMAND, (n + 1) * NAMES_PER_COMMAND),
  );
}
