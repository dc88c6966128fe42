import { Injectable, type OnModuleInit } from '@nestjs/common';
import { ClusterBus } from '../cluster/cluster-bus';
import type { AnswerOf, TenantStats } from '../cluster/cluster-questions';
import { SessionDirectory } from '../cluster/session-directory';
import { AraConfig } from '../config/ara-config';
import { Census, type Headcount } from '../connection/census';
import { ConnectionRegistry } from '../connection/connection-registry';
import {
  type ChannelName,
  type ConnectionId,
  type NodeId,
  PROBE_TENANT,
  type TenantId,
  type UserId,
} from '../notification/ids';
import { EVERY_TENANT, type TenantScope } from '../notification/target';
import { Metrics } from '../telemetry/metrics';
import { DispatchStatistics } from './dispatch-statistics';

export interface ChannelInfo {
  readonly name: ChannelName;
  readonly subscribers: number;
}

export interface UserSubscriptions {
  readonly connections: number;
  /** Union over the user's connections, sorted. */
  readonly subscriptions: readonly ChannelName[];
}

export interface TenantActivity extends TenantStats {
  readonly uniqueUsers: number;
  readonly channels: number;
}

export interface SessionInfo {
  readonly connection: ConnectionId;
  readonly node: NodeId;
  /** Unix seconds. */
  readonly connectedAt: number;
  readonly channels: readonly ChannelName[];
}

export interface ClusterPresence {
  readonly enabled: boolean;
  readonly node: NodeId;
  /** Live nodes, this one included, sorted. */
  readonly nodes: readonly NodeId[];
  readonly connections: number;
  readonly users: number;
}

/**
 * Who is here, on all nodes: what this node's registry knows, what the others answer, and for distinct users the session
 * directory. A node that does not answer in time is left out.
 */
@Injectable()
export class PresenceService implements OnModuleInit {
  constructor(
    private readonly registry: ConnectionRegistry,
    private readonly directory: SessionDirectory,
    private readonly bus: ClusterBus,
    private readonly statistics: DispatchStatistics,
    private readonly census: Census,
    private readonly config: AraConfig,
    metrics: Metrics,
  ) {
    metrics.gauge('ara_cluster_connections_total', 'Connections of all nodes', { shared: () => this.connections() });
    metrics.gauge('ara_cluster_users_total', 'Users connected to any node', {
      shared: () => this.directory.countUsers(this.local().users),
    });
  }

  onModuleInit(): void {
    this.bus.onAsk('channels', ({ tenant, channel }) => this.ownChannels(tenant, channel));
    this.bus.onAsk('sessions', ({ tenant, user }) => this.ownSessions(tenant ?? EVERY_TENANT, user));
    this.bus.onAsk('tenants', ({ tenant }) => (tenant === null ? this.ownTenants() : [this.ownStats(tenant)]));
    this.bus.onAsk('connections', () => this.local().connections);
  }

  /** Channels of the tenant that have a subscriber, by name. O(channels). */
  async channels(tenant: TenantId): Promise<readonly ChannelInfo[]> {
    return subscribersOf([this.ownChannels(tenant), ...(await this.bus.ask('channels', { tenant }))]);
  }

  /** undefined without a subscriber. */
  async channel(tenant: TenantId, channel: ChannelName): Promise<ChannelInfo | undefined> {
    const elsewhere = await this.bus.ask('channels', { tenant, channel });
    return subscribersOf([this.ownChannels(tenant, channel), ...elsewhere])[0];
  }

  /** undefined without a connection in this tenant. */
  async subscriptions(tenant: TenantId, user: UserId): Promise<UserSubscriptions | undefined> {
    const sessions = await this.sessions(tenant, user);
    if (sessions.length === 0) return undefined;
    const names = new Set(sessions.flatMap(({ channels }) => channels));
    return { connections: sessions.length, subscriptions: [...names].sort() };
  }

  /** Tenants with at least one connection, by name. */
  async activeTenants(): Promise<readonly TenantStats[]> {
    const records = [...this.ownTenants(), ...(await this.bus.ask('tenants', { tenant: null })).flat()];
    const names = new Set(records.map(({ tenant }) => tenant));
    return [...names].sort().map((name) =>
      summed(
        name,
        records.filter(({ tenant }) => tenant === name),
      ),
    );
  }

  /** undefined when it never had a connection. */
  async tenant(tenant: TenantId): Promise<TenantActivity | undefined> {
    const [elsewhere, channels, uniqueUsers] = await Promise.all([
      this.bus.ask('tenants', { tenant }),
      this.channels(tenant),
      this.users(tenant),
    ]);
    const stats = summed(tenant, [this.ownStats(tenant), ...elsewhere.flat()]);
    return stats.totalConnections === 0 ? undefined : { ...stats, uniqueUsers, channels: channels.length };
  }

  /** Sessions of a user; of every tenant when none is named. */
  async sessions(tenant: TenantId | undefined, user: UserId): Promise<readonly SessionInfo[]> {
    const elsewhere = await this.bus.ask('sessions', { tenant: tenant ?? null, user });
    return [...this.ownSessions(tenant ?? EVERY_TENANT, user), ...elsewhere.flat()].map((session) => ({
      ...session,
      connectedAt: Math.floor(session.connectedAt / 1000),
    }));
  }

  /** This node only; with a tenant, that tenant's share. O(connections). */
  local(tenant?: TenantId): Headcount {
    return this.census.here(tenant);
  }

  async cluster(): Promise<ClusterPresence> {
    const { enabled, nodeId } = this.config.cluster;
    const [others, connections, users] = await Promise.all([
      this.directory.otherNodes().catch(() => []),
      this.connections(),
      this.users(),
    ]);
    return { enabled, node: nodeId, nodes: [...new Set([nodeId, ...others])].sort(), connections, users };
  }

  private async connections(): Promise<number> {
    const elsewhere = await this.bus.ask('connections', null);
    return elsewhere.reduce((sum, count) => sum + count, this.local().connections);
  }

  /** A directory that cannot be asked leaves those of this node. */
  private users(tenant?: TenantId): Promise<number> {
    const here = this.local(tenant).users;
    return this.directory.countUsers(here, tenant).catch(() => here);
  }

  private ownChannels(tenant: TenantId, channel?: ChannelName): AnswerOf<'channels'> {
    const home = this.registry.tenant(tenant);
    if (channel === undefined) return [...(home?.channels() ?? [])];
    const subscribers = home?.ofChannel(channel).length ?? 0;
    return subscribers === 0 ? [] : [[channel, subscribers]];
  }

  private ownSessions(scope: TenantScope, user: UserId): AnswerOf<'sessions'> {
    const found = [...this.registry.inScope(scope)].flatMap((home) => home.ofUser(user));
    return found.map(({ identity, subscriptions }) => ({
      connection: identity.id,
      node: this.config.cluster.nodeId,
      connectedAt: identity.connectedAt,
      channels: [...subscriptions.keys()].sort(),
    }));
  }

  private ownTenants(): AnswerOf<'tenants'> {
    const names = [...this.registry.tenants.keys()].filter((tenant) => tenant !== PROBE_TENANT);
    return names.map((tenant) => this.ownStats(tenant));
  }

  private ownStats(tenant: TenantId): TenantStats {
    const tally = this.statistics.ofTenant(tenant);
    return {
      tenant,
      activeConnections: this.registry.tenant(tenant)?.connectionCount ?? 0,
      totalConnections: tally?.connectionsOpened ?? 0,
      messagesSent: tally?.sent ?? 0,
      messagesDelivered: tally?.delivered ?? 0,
      messagesToday: tally?.sentToday ?? 0,
    };
  }
}

function subscribersOf(answers: readonly AnswerOf<'channels'>[]): readonly ChannelInfo[] {
  const sum = new Map<ChannelName, number>();
  for (const [name, subscribers] of answers.flat()) sum.set(name, (sum.get(name) ?? 0) + subscribers);
  return [...sum].map(([name, subscribers]) => ({ name, subscribers })).sort((a, b) => (a.name < b.name ? -1 : 1));
}

function summed(tenant: TenantId, records: readonly TenantStats[]): TenantStats {
  const sum = (figure: Exclude<keyof TenantStats, 'tenant'>): number =>
    records.reduce((total, record) => total + record[figure], 0);
  return {
    tenant,
    activeConnections: sum('activeConnections'),
    totalConnections: sum('totalConnections'),
    messagesSent: sum('messagesSent'),
    messagesDelivered: sum('messagesDelivered'),
    messagesToday: sum('messagesToday'),
  };
}
