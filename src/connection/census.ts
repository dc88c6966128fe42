import { Injectable, type OnModuleInit } from '@nestjs/common';
import type { TenantId } from '../notification/ids';
import { EVERY_TENANT } from '../notification/target';
import { Subject, Workers } from '../workers/workers';
import { ConnectionRegistry } from './connection-registry';

/** Who is connected, counted. */
export interface Headcount {
  readonly connections: number;
  readonly webSocket: number;
  readonly sse: number;
  /** (tenant, user) pairs. */
  readonly users: number;
  readonly usersWithMultipleConnections: number;
  /** (tenant, channel) pairs with a subscriber. */
  readonly channels: number;
  readonly subscriptions: number;
}

interface Question {
  /** null: all. */
  readonly tenant: TenantId | null;
  /** Whether channels are told by name. */
  readonly names: boolean;
}

/** One process's share. Who stands behind a number is told by hash, 8 bytes each, so that pairs can be told apart. */
interface Share {
  readonly webSocket: number;
  readonly sse: number;
  readonly subscriptions: number;
  readonly users: Float64Array;
  readonly usersWithMultipleConnections: Float64Array;
  readonly channels: Float64Array;
  readonly subscribers: readonly (readonly [string, number])[];
}

const SHARE = new Subject<Question, Share>('census');

/** Counts the connections of this process, and those of all workers together. */
@Injectable()
export class Census implements OnModuleInit {
  constructor(
    private readonly registry: ConnectionRegistry,
    private readonly workers: Workers,
  ) {}

  onModuleInit(): void {
    this.workers.onAsk(SHARE, ({ tenant, names }) => this.share(tenant ?? undefined, names));
  }

  /** Of this process; with a tenant, that tenant's share. O(connections). */
  here(tenant?: TenantId): Headcount {
    const total = { webSocket: 0, sse: 0, users: 0, usersWithMultipleConnections: 0, channels: 0, subscriptions: 0 };
    for (const home of this.registry.inScope(tenant ?? EVERY_TENANT)) {
      for (const connection of home.connections) {
        if (connection.transport === 'websocket') total.webSocket++;
        else total.sse++;
      }
      total.users += home.userCount;
      for (const own of home.users.values()) if (own.length > 1) total.usersWithMultipleConnections++;
      total.channels += home.channelCount;
      total.subscriptions += home.subscriptionCount;
    }
    return { connections: total.webSocket + total.sse, ...total };
  }

  /** This process's channels and their subscribers, of one tenant or of all. */
  subscribersHere(tenant?: TenantId): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const home of this.registry.inScope(tenant ?? EVERY_TENANT)) add(counts, home.channels());
    return counts;
  }

  /** Of all workers; whoever is connected to two of them is one user. A worker that does not answer is left out. */
  async whole(tenant?: TenantId): Promise<Headcount> {
    // Alone, nobody has to be told apart.
    if (this.workers.count === 1) return this.here(tenant);
    return together(await this.workers.gather(SHARE, { tenant: tenant ?? null, names: false }));
  }

  /** Channels and their subscribers, of all workers. */
  async subscribers(tenant?: TenantId): Promise<ReadonlyMap<string, number>> {
    if (this.workers.count === 1) return this.subscribersHere(tenant);
    const counts = new Map<string, number>();
    for (const share of await this.workers.gather(SHARE, { tenant: tenant ?? null, names: true })) {
      add(counts, share.subscribers);
    }
    return counts;
  }

  private share(tenant: TenantId | undefined, names: boolean): Share {
    const users: number[] = [];
    const multiple: number[] = [];
    const channels: number[] = [];
    for (const home of this.registry.inScope(tenant ?? EVERY_TENANT)) {
      for (const [user, connections] of home.users) {
        const hash = hashOf(home.tenant, user);
        users.push(hash);
        if (connections.length > 1) multiple.push(hash);
      }
      for (const [channel] of home.channels()) channels.push(hashOf(home.tenant, channel));
    }
    const { webSocket, sse, subscriptions } = this.here(tenant);
    return {
      ...{ webSocket, sse, subscriptions },
      users: Float64Array.from(users),
      usersWithMultipleConnections: Float64Array.from(multiple),
      channels: Float64Array.from(channels),
      subscribers: names ? [...this.subscribersHere(tenant)] : [],
    };
  }
}

function together(shares: readonly Share[]): Headcount {
  const sum = (figure: 'webSocket' | 'sse' | 'subscriptions'): number =>
    shares.reduce((total, share) => total + share[figure], 0);
  const users = new Set<number>();
  const multiple = new Set<number>();
  const channels = new Set<number>();
  for (const share of shares) {
    for (const hash of share.users) {
      if (users.has(hash)) multiple.add(hash);
      else users.add(hash);
    }
    for (const hash of share.usersWithMultipleConnections) multiple.add(hash);
    for (const hash of share.channels) channels.add(hash);
  }
  const [webSocket, sse] = [sum('webSocket'), sum('sse')];
  return {
    connections: webSocket + sse,
    ...{ webSocket, sse },
    users: users.size,
    usersWithMultipleConnections: multiple.size,
    channels: channels.size,
    subscriptions: sum('subscriptions'),
  };
}

function add(counts: Map<string, number>, channels: Iterable<readonly [string, number]>): void {
  for (const [name, subscribers] of channels) counts.set(name, (counts.get(name) ?? 0) + subscribers);
}

/** 53 bits of a name (cyrb53): among a million names, two are taken for one with a chance of 1 to 18,000. */
function hashOf(tenant: string, name: string): number {
  const text = `${tenant}\0${name}`;
  let a = 0xdeadbeef;
  let b = 0x41c6ce57;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    a = Math.imul(a ^ unit, 2654435761);
    b = Math.imul(b ^ unit, 1597334677);
  }
  a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909);
  b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909);
  return 4294967296 * (2097151 & b) + (a >>> 0);
}
