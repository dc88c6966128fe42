import { Injectable } from '@nestjs/common';
import { type ChannelName, type ConnectionId, PROBE_TENANT, type TenantId } from '../notification/ids';
import { EVERY_TENANT, type TenantScope } from '../notification/target';
import type { Connection } from './connection';
import { TenantConnections } from './tenant-connections';

/** Limits of one registration, 0 = unlimited. The registry is given them; it knows no policy. */
export interface ConnectionLimits {
  readonly maxConnections: number;
  readonly maxConnectionsPerUser: number;
  /** undefined: no limit of the tenant's own. */
  readonly maxTenantConnections: number | undefined;
}

/** Connections elsewhere in the cluster that count against the limits of users and tenants. */
export interface RemoteCounts {
  readonly user: number;
  readonly tenant: number;
  /** Those of the other processes on this port. */
  readonly total?: number;
}

export type Admission =
  | { readonly kind: 'admitted' }
  | {
      readonly kind: 'refused';
      readonly scope: 'total' | 'tenant' | 'user';
      readonly current: number;
      readonly max: number;
    };

const NO_REMOTE: RemoteCounts = { user: 0, tenant: 0 };

/** All connections of this node. Synchronous; lookups and changes are O(1). */
@Injectable()
export class ConnectionRegistry {
  readonly #tenants = new Map<TenantId, TenantConnections>();
  readonly #byId = new Map<ConnectionId, Connection>();
  #probes = 0;

  /** All connections but the self-probe's. */
  get size(): number {
    return this.#byId.size - this.#probes;
  }

  get all(): Iterable<Connection> {
    return this.#byId.values();
  }

  get tenants(): ReadonlyMap<TenantId, TenantConnections> {
    return this.#tenants;
  }

  tenant(tenant: TenantId): TenantConnections | undefined {
    return this.#tenants.get(tenant);
  }

  /** The tenants that a scope names and that have a connection here; every tenant is all but the self-probe's. */
  inScope(scope: TenantScope): readonly TenantConnections[] {
    if (scope === EVERY_TENANT) return [...this.#tenants.values()].filter(({ tenant }) => tenant !== PROBE_TENANT);
    const tenant = this.#tenants.get(scope);
    return tenant === undefined ? [] : [tenant];
  }

  byId(id: ConnectionId): Connection | undefined {
    return this.#byId.get(id);
  }

  /** Whether one more connection of this user fits: total first, then the tenant, then the user. Changes nothing. */
  admits(connection: Connection, limits: ConnectionLimits, remote: RemoteCounts = NO_REMOTE): Admission {
    if (connection.identity.isProbe === true) return { kind: 'admitted' };
    const tenant = this.#tenants.get(connection.tenant);
    return (
      exceeded('total', this.size + (remote.total ?? 0), limits.maxConnections) ??
      exceeded('tenant', (tenant?.connectionCount ?? 0) + remote.tenant, limits.maxTenantConnections ?? 0) ??
      exceeded('user', (tenant?.ofUser(connection.user).length ?? 0) + remote.user, limits.maxConnectionsPerUser) ?? {
        kind: 'admitted',
      }
    );
  }

  register(connection: Connection): void {
    let tenant = this.#tenants.get(connection.tenant);
    if (tenant === undefined) this.#tenants.set(connection.tenant, (tenant = new TenantConnections(connection.tenant)));
    tenant.add(connection);
    this.#byId.set(connection.identity.id, connection);
    if (connection.identity.isProbe === true) this.#probes++;
  }

  /** Forgets the connection and its subscriptions; false when it was not registered. */
  unregister(connection: Connection): boolean {
    if (!this.#byId.delete(connection.identity.id)) return false;
    if (connection.identity.isProbe === true) this.#probes--;
    const tenant = this.#tenants.get(connection.tenant);
    tenant?.remove(connection);
    if (tenant?.isEmpty === true) this.#tenants.delete(connection.tenant);
    return true;
  }

  /** Adds a subscription; 'full' when the connection has `max` already (0 = unlimited) and this one is not among them. */
  subscribe(connection: Connection, channel: ChannelName, max: number): 'subscribed' | 'already' | 'full' {
    if (connection.subscriptions.has(channel)) return 'already';
    if (max > 0 && connection.subscriptions.size >= max) return 'full';
    this.#tenants.get(connection.tenant)?.subscribe(connection, channel);
    return 'subscribed';
  }

  unsubscribe(connection: Connection, channel: ChannelName): boolean {
    return this.#tenants.get(connection.tenant)?.unsubscribe(connection, channel) ?? false;
  }
}

function exceeded(scope: 'total' | 'tenant' | 'user', current: number, max: number): Admission | undefined {
  return max > 0 && current >= max ? { kind: 'refused', scope, current, max } : undefined;
}
