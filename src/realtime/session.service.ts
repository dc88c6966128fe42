import { Injectable } from '@nestjs/common';
import type { Identity } from '../auth/identity';
import { mayHear } from '../auth/channel-access';
import { ClusterBus, type Interest } from '../cluster/cluster-bus';
import { type Session, SessionDirectory } from '../cluster/session-directory';
import { AraConfig } from '../config/ara-config';
import { Connection, type ConnectionIdentity, type ConnectionMeans } from '../connection/connection';
import { type Admission, ConnectionRegistry, type RemoteCounts } from '../connection/connection-registry';
import { ConnectionMetrics } from '../connection/connection.metrics';
import { Flusher } from '../connection/flusher';
import type { Sink } from '../connection/sink';
import { SlowReaders } from '../connection/slow-readers';
import { DispatchStatistics } from '../dispatch/dispatch-statistics';
import { ReplayService } from '../dispatch/replay.service';
import { Clock } from '../notification/clock';
import { IdSource, type TenantId, type UserId } from '../notification/ids';
import { TenantService } from '../tenant/tenant.service';
import { Workers } from '../workers/workers';
import { HeartbeatService } from './heartbeat.service';
import { TokenExpiryService } from './token-expiry.service';

export interface SessionTraits {
  readonly hearsAllChannels: boolean;
  readonly isProbe?: boolean;
}

const ANY_CHANNEL = (): boolean => true;

/** The life of a connection between its handshake and its end, whatever the transport. */
@Injectable()
export class SessionService {
  private readonly means: ConnectionMeans;
  #arriving = 0;

  constructor(
    private readonly config: AraConfig,
    private readonly registry: ConnectionRegistry,
    private readonly directory: SessionDirectory,
    private readonly bus: ClusterBus,
    private readonly replay: ReplayService,
    private readonly heartbeat: HeartbeatService,
    private readonly tokenExpiry: TokenExpiryService,
    private readonly tenants: TenantService,
    private readonly metrics: ConnectionMetrics,
    private readonly statistics: DispatchStatistics,
    private readonly clock: Clock,
    private readonly ids: IdSource,
    private readonly workers: Workers,
    flusher: Flusher,
    slowReaders: SlowReaders,
  ) {
    this.means = {
      flusher,
      slowReaders,
      onShed: (count) => {
        statistics.countShed(count);
      },
    };
  }

  /** Whether there are connections past their handshake that are not registered yet: they wait for what other nodes say. */
  get hasArriving(): boolean {
    return this.#arriving > 0;
  }

  /** A connection that nobody knows yet. */
  create(identity: Identity, sink: Sink, traits: SessionTraits): Connection {
    const { channels } = identity;
    const facts: ConnectionIdentity = {
      id: this.ids.connectionId(),
      tenant: identity.tenant,
      user: identity.user,
      roles: identity.roles,
      connectedAt: this.clock.now(),
      expiresAt: identity.expiresAt,
      mayHear: channels === undefined ? ANY_CHANNEL : (channel) => mayHear(channels, channel),
      ...traits,
    };
    return new Connection(facts, sink, this.means);
  }

  /** Connections on other nodes that count against the limits; none when that cannot be asked. */
  async countElsewhere(tenant: TenantId, user: UserId): Promise<RemoteCounts> {
    this.#arriving++;
    try {
      return await this.directory.countElsewhere(tenant, user);
    } catch {
      return { user: 0, tenant: 0 };
    } finally {
      // Whoever asked goes on first, in the same turn.
      setImmediate(() => this.#arriving--);
    }
  }

  /** Registers the connection if the limits allow. From here on it is reached by what is sent; what is stored comes first. */
  admit(connection: Connection, elsewhere: RemoteCounts): Admission {
    const limits = this.tenants.limitsOf(connection.tenant);
    const admission = this.registry.admits(
      connection,
      {
        maxConnections: this.config.webSocket.maxConnections,
        maxConnectionsPerUser: limits.maxConnectionsPerUser,
        maxTenantConnections: this.config.tenant.enabled ? limits.maxConnections : undefined,
      },
      { ...elsewhere, total: this.workers.connectionsElsewhere },
    );
    if (admission.kind === 'admitted') this.register(connection);
    return admission;
  }

  /** Makes the connection known to all nodes, then replays what is stored for its user. Never rejects. */
  async open(connection: Connection): Promise<void> {
    if (connection.identity.isProbe !== true) {
      const known = [...interestsOf(connection).map((interest) => this.bus.retain(interest))];
      // A directory that cannot be reached learns of the connection when it is back; the connection serves meanwhile.
      await Promise.allSettled([...known, this.directory.add(this.sessionOf(connection))]);
    }
    await this.replay.run(connection);
  }

  /** The socket is gone. Idempotent. */
  end(connection: Connection): void {
    const channels = [...connection.subscriptions.keys()];
    connection.markClosed();
    if (!this.registry.unregister(connection)) return;
    this.heartbeat.delete(connection);
    this.tokenExpiry.delete(connection);
    if (connection.identity.isProbe === true) return;
    this.workers.tellConnections(this.registry.size);
    this.metrics.closed.inc();
    this.metrics.duration.observe((this.clock.now() - connection.identity.connectedAt) / 1000);
    for (const channel of channels) this.bus.release({ kind: 'channel', tenant: connection.tenant, channel });
    for (const interest of interestsOf(connection)) this.bus.release(interest);
    this.directory.remove(this.sessionOf(connection)).catch(() => {
      // Its entry ends with this node's lease or its own life.
    });
  }

  private register(connection: Connection): void {
    this.replay.begin(connection);
    this.registry.register(connection);
    this.heartbeat.add(connection);
    this.tokenExpiry.add(connection);
    if (connection.identity.isProbe === true) return;
    this.workers.tellConnections(this.registry.size);
    this.metrics.opened.inc();
    this.metrics.perUser.observe(this.registry.tenant(connection.tenant)?.ofUser(connection.user).length ?? 1);
    this.statistics.countOpened(connection.tenant);
  }

  private sessionOf({ identity, transport }: Connection): Session {
    const { id, tenant, user, connectedAt } = identity;
    return { connection: id, node: this.config.cluster.nodeId, tenant, user, transport, connectedAt };
  }
}

/** What the fellow nodes must send here because of this connection, its subscriptions aside. */
function interestsOf({ tenant, identity }: Connection): readonly Interest[] {
  return identity.hearsAllChannels
    ? [
        { kind: 'tenant', tenant },
        { kind: 'all-channels', tenant },
      ]
    : [{ kind: 'tenant', tenant }];
}

/** What a client over a limit is told. */
export function limitMessage(admission: Extract<Admission, { kind: 'refused' }>, user: UserId): string {
  const count = `(${admission.current}/${admission.max})`;
  switch (admission.scope) {
    case 'total':
      return `Total connection limit exceeded ${count}`;
    case 'tenant':
      return `Tenant connection limit exceeded ${count}`;
    case 'user':
      return `User ${user} connection limit exceeded ${count}`;
  }
}
