import { Controller, Get, Param } from '@nestjs/common';
import type { TenantStats } from '../cluster/cluster-questions';
import { AraConfig } from '../config/ara-config';
import { PresenceService, type TenantActivity } from '../dispatch/presence.service';
import { AraError } from '../notification/ara-error';
import { parseTenantId } from '../notification/ids';
import { SPAN } from '../telemetry/span-names';
import { Tracer } from '../telemetry/tracer';
import type { TenantListResponse, TenantResponse } from './dto/presence.dto';
import { Exchange } from './exchange';
import { Knock } from './exchange.decorator';

/** Figures per tenant. Who comes with a tenant, by header or key, sees that one only. */
@Controller('api/v1/tenants')
export class TenantsController {
  constructor(
    private readonly presence: PresenceService,
    private readonly config: AraConfig,
    private readonly tracer: Tracer,
  ) {}

  @Get()
  list(@Knock() { tenant, traceparent }: Exchange): Promise<TenantListResponse> {
    return this.tracer.trace(
      SPAN.listTenants,
      async () => {
        if (!this.config.tenant.enabled) return { enabled: false, tenants: [], total: 0 };
        const active = await this.presence.activeTenants();
        const visible = tenant === undefined ? active : active.filter((activity) => activity.tenant === tenant);
        const tenants = visible.map((activity) => ({ tenant_id: activity.tenant, stats: statsOf(activity) }));
        return { enabled: true, tenants, total: tenants.length };
      },
      traceparent,
    );
  }

  @Get(':tenant_id')
  get(@Knock() { tenant, traceparent }: Exchange, @Param('tenant_id') id: string): Promise<TenantResponse> {
    return this.tracer.trace(
      SPAN.getTenantStats,
      async () => {
        if (this.config.tenant.enabled && tenant !== undefined && tenant !== id) {
          throw new AraError('TENANT_ACCESS_DENIED', "Cannot access another tenant's stats");
        }
        const asked = parseTenantId(id);
        const activity = asked === undefined ? undefined : await this.presence.tenant(asked);
        if (activity !== undefined) return toResponse(activity);
        throw new AraError('TENANT_NOT_FOUND', `Tenant '${id}' has no recorded activity`);
      },
      traceparent,
    );
  }
}

function toResponse(activity: TenantActivity): TenantResponse {
  const { activeConnections, uniqueUsers } = activity;
  return {
    tenant_id: activity.tenant,
    stats: statsOf(activity),
    connection_stats: { total_connections: activeConnections, unique_users: uniqueUsers },
    connections: activeConnections,
    users: uniqueUsers,
    channels: activity.channels,
    messages_today: activity.messagesToday,
  };
}

function statsOf(activity: TenantStats): TenantResponse['stats'] {
  return {
    active_connections: activity.activeConnections,
    total_connections: activity.totalConnections,
    messages_sent: activity.messagesSent,
    messages_delivered: activity.messagesDelivered,
  };
}
