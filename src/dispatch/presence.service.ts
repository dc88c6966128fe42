import { Injectable } from '@nestjs/common';
import { SessionDirectory } from '../cluster/session-directory';
import { AraConfig } from '../config/ara-config';
import { ConnectionRegistry } from '../connection/connection-registry';
import type { TenantConnections } from '../connection/tenant-connections';
import {
  type ChannelName,
  type ConnectionId,
  type NodeId,
  PROBE_TENANT,
  type TenantId,
  type UserId,
} from '../notification/ids';
import { EVERY_TENANT, isStorable, type Target, type TenantScope, usersOf } from '../notification/target';
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

export interface TenantActivity {
  readonly tenant: TenantId;
  readonly activeConnections: number;
  readonly uniqueUsers: number;
  readonly channels: number;
  /** Connections ever opened. */
  readonly totalConnections: number;
  readonly messagesSent: number;
  readonly messagesDelivered: number;
  /** Since 00:00 UTC. */
  readonly messagesToday: number;
}

export interface SessionInfo {
  readonly connection: ConnectionId;
  readonly node: NodeId;
  /** Unix seconds. */
  readonly connectedAt: number;
  readonly channels: readonly ChannelName[];
}

export interface LocalPresence {
  readonly connections: number;
  readonly webSocket: number;
  readonly sse: number;
  /** (tenant, user) pairs. */
  readonly users: number;
  readonly usersWithMultipleConnections: number;
  readonly channels: number;
  readonly subscriptions: number;
}

export interface ClusterPresence {
  readonly enabled: boolean;
  readonly node: NodeId;
  /** Live nodes, this one included, sorted. */
  readonly nodes: readonly NodeId[];
  readonly connections: number;
  readonly users: number;
}

/** Who is here: built from this node's registry and the session directory. */
@Injectable()
export class PresenceService {
  constructor(
    private readonly registry: ConnectionRegistry,
    private readonly directory: SessionDirectory,
    private readonly statistics: DispatchStatistics,
    private readonly config: AraConfig,
  ) {}

  /** Channels of the tenant that have a subscriber, by name. O(channels). */
  channels(tenant: TenantId): Promise<readonly ChannelInfo[]> {
    const found = [...(this.registry.tenant(tenant)?.channels() ?? [])].map(([name, subscribers]) => ({
      name,
      subscribers,
    }));
    return Promise.resolve(found.sort((a, b) => (a.name < b.name ? -1 : 1)));
  }

  /** undefined without a subscriber. */
  channel(tenant: TenantId, name: ChannelName): Promise<ChannelInfo | undefined> {
    const subscribers = this.registry.tenant(tenant)?.ofChannel(name).length ?? 0;
    return Promise.resolve(subscribers === 0 ? undefined : { name, subscribers });
  }

  /** undefined without a connection in this tenant. */
  async subscriptions(tenant: TenantId, user: UserId): Promise<UserSubscriptions | undefined> {
    const sessions = await this.sessions(tenant, user);
    if (sessions.length === 0) return undefined;
    const names = new Set(sessions.flatMap(({ channels }) => channels));
    return { connections: sessions.length, subscriptions: [...names].sort() };
  }

  /** Tenants with at least one connection, by name. */
  activeTenants(): Promise<readonly TenantActivity[]> {
    const names = [...this.registry.tenants.keys()].filter((tenant) => tenant !== PROBE_TENANT).sort();
    return Promise.resolve(names.map((tenant) => this.activity(tenant)));
  }

  /** undefined when it never had a connection. */
  tenant(tenant: TenantId): Promise<TenantActivity | undefined> {
    const activity = this.activity(tenant);
    return Promise.resolve(activity.totalConnections === 0 ? undefined : activity);
  }

  /** Sessions of a user; of every tenant when none is named. */
  async sessions(tenant: TenantId | undefined, user: UserId): Promise<readonly SessionInfo[]> {
    const elsewhere = await this.directory.sessionsElsewhere(tenant, user);
    const found = [...this.registry.inScope(tenant ?? EVERY_TENANT)].flatMap((home) => home.ofUser(user));
    return [
      ...found.map(({ identity, subscriptions }) => ({
        connection: identity.id,
        node: this.config.cluster.nodeId,
        connectedAt: Math.floor(identity.connectedAt / 1000),
        channels: [...subscriptions.keys()].sort(),
      })),
      ...elsewhere.map((session) => ({ ...session, connectedAt: Math.floor(session.connectedAt / 1000) })),
    ];
  }

  /** This node only; with a tenant, that tenant's share. O(users). */
  local(tenant?: TenantId): LocalPresence {
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

  /** This node's channels and their subscriber counts, of one tenant or of all. */
  localChannels(tenant?: TenantId): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const home of this.registry.inScope(tenant ?? EVERY_TENANT)) {
      for (const [name, subscribers] of home.channels()) counts.set(name, (counts.get(name) ?? 0) + subscribers);
    }
    return counts;
  }

  async cluster(): Promise<ClusterPresence> {
    const { enabled, nodeId } = this.config.cluster;
    const { connections, users } = this.local();
    return {
      enabled,
      node: nodeId,
      nodes: [nodeId, ...(await this.directory.otherNodes())].sort(),
      connections,
      users,
    };
  }

  /** Whether a connection on another node would receive it. */
  async isElsewhere(scope: TenantScope, target: Target): Promise<boolean> {
    if (!isStorable(target) || scope === EVERY_TENANT) return false;
    const present = await this.directory.presentElsewhere(scope, usersOf(target)).catch(() => new Set<UserId>());
    return present.size > 0;
  }

  private activity(tenant: TenantId): TenantActivity {
    const here: TenantConnections | undefined = this.registry.tenant(tenant);
    const tally = this.statistics.ofTenant(tenant);
    return {
      tenant,
      activeConnections: here?.connectionCount ?? 0,
      uniqueUsers: here?.userCount ?? 0,
      channels: here?.channelCount ?? 0,
      totalConnections: tally?.connectionsOpened ?? 0,
      messagesSent: tally?.sent ?? 0,
      messagesDelivered: tally?.delivered ?? 0,
      messagesToday: tally?.sentToday ?? 0,
    };
  }
}
