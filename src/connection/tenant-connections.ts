import type { ChannelName, TenantId, UserId } from '../notification/ids';
import type { Connection } from './connection';
import { DenseList } from './dense-list';

/**
 * The connections of one tenant on this node, by user and by channel. Tenants never share a list or a key, so nothing
 * addressed to one can find a connection of another. Every change is O(1) in the number of connections; one that goes
 * costs O(its subscriptions), and a look through the connections of its own user.
 */
export class TenantConnections {
  readonly #all = new DenseList<Connection>();
  /** SSE streams that hear every channel. */
  readonly #listeners = new DenseList<Connection>();
  readonly #users = new Map<UserId, Connection[]>();
  readonly #channels = new Map<ChannelName, DenseList<Connection>>();
  #subscriptions = 0;

  constructor(readonly tenant: TenantId) {}

  get isEmpty(): boolean {
    return this.#all.size === 0;
  }

  get connectionCount(): number {
    return this.#all.size;
  }

  get userCount(): number {
    return this.#users.size;
  }

  get channelCount(): number {
    return this.#channels.size;
  }

  get subscriptionCount(): number {
    return this.#subscriptions;
  }

  /** For iteration only, in the same turn; likewise below. */
  get connections(): readonly Connection[] {
    return this.#all.items;
  }

  get listeners(): readonly Connection[] {
    return this.#listeners.items;
  }

  get users(): ReadonlyMap<UserId, readonly Connection[]> {
    return this.#users;
  }

  ofUser(user: UserId): readonly Connection[] {
    return this.#users.get(user) ?? [];
  }

  ofChannel(channel: ChannelName): readonly Connection[] {
    return this.#channels.get(channel)?.items ?? [];
  }

  /** Channels with a subscriber, with their number of subscribers. */
  *channels(): Generator<readonly [ChannelName, number]> {
    for (const [channel, subscribers] of this.#channels) yield [channel, subscribers.size];
  }

  add(connection: Connection): void {
    connection.slot = this.#all.add(connection);
    if (connection.identity.hearsAllChannels) connection.listenerSlot = this.#listeners.add(connection);
    const own = this.#users.get(connection.user);
    if (own === undefined) this.#users.set(connection.user, [connection]);
    else own.push(connection);
  }

  remove(connection: Connection): void {
    for (const channel of [...connection.subscriptions.keys()]) this.unsubscribe(connection, channel);
    const moved = this.#all.removeAt(connection.slot);
    if (moved !== undefined) moved.slot = connection.slot;
    this.removeListener(connection);
    this.removeFromUser(connection);
  }

  /** False when it was subscribed already. */
  subscribe(connection: Connection, channel: ChannelName): boolean {
    if (connection.subscriptions.has(channel)) return false;
    let subscribers = this.#channels.get(channel);
    if (subscribers === undefined) this.#channels.set(channel, (subscribers = new DenseList()));
    connection.subscriptions.set(channel, subscribers.add(connection));
    this.#subscriptions++;
    return true;
  }

  /** False when it was not subscribed. */
  unsubscribe(connection: Connection, channel: ChannelName): boolean {
    const slot = connection.subscriptions.get(channel);
    const subscribers = this.#channels.get(channel);
    if (slot === undefined || subscribers === undefined) return false;
    connection.subscriptions.delete(channel);
    subscribers.removeAt(slot)?.subscriptions.set(channel, slot);
    if (subscribers.size === 0) this.#channels.delete(channel);
    this.#subscriptions--;
    return true;
  }

  private removeListener(connection: Connection): void {
    if (connection.listenerSlot < 0) return;
    const moved = this.#listeners.removeAt(connection.listenerSlot);
    if (moved !== undefined) moved.listenerSlot = connection.listenerSlot;
  }

  private removeFromUser(connection: Connection): void {
    const own = this.#users.get(connection.user);
    if (own === undefined) return;
    own.splice(own.indexOf(connection), 1);
    if (own.length === 0) this.#users.delete(connection.user);
  }
}
