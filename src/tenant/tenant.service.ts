import { Injectable } from '@nestjs/common';
import { AraConfig, type TenantLimits } from '../config/ara-config';
import type { TenantId } from '../notification/ids';

/** What each tenant may use. */
@Injectable()
export class TenantService {
  readonly #ofTenant: ReadonlyMap<TenantId, TenantLimits>;
  readonly #otherwise: TenantLimits;

  constructor({ tenant, webSocket }: AraConfig) {
    this.#ofTenant = tenant.enabled ? tenant.limits : new Map();
    this.#otherwise = tenant.enabled
      ? tenant.defaultLimits
      : {
          // The node's own maximum bounds them all; a second count of the same connections would hold across nodes.
          maxConnections: 0,
          maxConnectionsPerUser: webSocket.maxConnectionsPerUser,
          maxSubscriptionsPerConnection: webSocket.maxSubscriptionsPerConnection,
        };
  }

  /**
   * The limits of a tenant, 0 = unlimited: its own, else those of every tenant. With tenants off, the global limits per
   * user and connection. The node's total (`webSocket.maxConnections`) applies beside them in either case.
   */
  limitsOf(tenant: TenantId): TenantLimits {
    return this.#ofTenant.get(tenant) ?? this.#otherwise;
  }
}
