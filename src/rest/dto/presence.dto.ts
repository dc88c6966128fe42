import { z } from 'zod';

const count = z.int().min(0);

export const ChannelResponse = z
  .object({ name: z.string(), subscriber_count: count, subscribers: count.meta({ description: 'subscriber_count' }) })
  .meta({ id: 'Channel' });

export const ChannelListResponse = z
  .object({ channels: z.array(ChannelResponse), total_channels: count })
  .meta({ id: 'ChannelList' });

export const SubscriptionsResponse = z
  .object({
    user_id: z.string(),
    connection_count: count,
    connections: count.meta({ description: 'connection_count' }),
    subscriptions: z.array(z.string()).meta({ description: "Union over the user's connections" }),
  })
  .meta({ id: 'Subscriptions' });

const tenantStats = z.object({
  active_connections: count,
  total_connections: count.meta({ description: 'Ever opened' }),
  messages_sent: count,
  messages_delivered: count,
});

export const TenantListResponse = z
  .object({
    enabled: z.boolean(),
    tenants: z.array(z.object({ tenant_id: z.string(), stats: tenantStats })),
    total: count,
  })
  .meta({ id: 'TenantList' });

export const TenantResponse = z
  .object({
    tenant_id: z.string(),
    stats: tenantStats,
    connection_stats: z.object({ total_connections: count, unique_users: count }),
    connections: count,
    users: count,
    channels: count,
    messages_today: count.meta({ description: 'Since 00:00 UTC' }),
  })
  .meta({ id: 'Tenant' });

export const ClusterStatusResponse = z
  .object({
    enabled: z.boolean(),
    mode: z.enum(['standalone', 'distributed']),
    server_id: z.string(),
    local_connections: count,
    local_users: count,
    cluster_connections: count.optional(),
    cluster_users: count.optional(),
    node_id: z.string(),
    nodes: z.array(z.string()),
    healthy_nodes: count,
    total_connections: count,
  })
  .meta({ id: 'ClusterStatus' });

export const UserLocationResponse = z
  .object({
    user_id: z.string(),
    found: z.boolean(),
    sessions: z.array(
      z.object({
        connection_id: z.string(),
        server_id: z.string(),
        connected_at: count.meta({ description: 'Unix seconds' }),
        channels: z.array(z.string()),
      }),
    ),
    node_id: z.string().nullable(),
    nodes: z.array(z.string()),
    connections: count,
  })
  .meta({ id: 'UserLocation' });

export type ChannelResponse = z.output<typeof ChannelResponse>;
export type ChannelListResponse = z.output<typeof ChannelListResponse>;
export type SubscriptionsResponse = z.output<typeof SubscriptionsResponse>;
export type TenantListResponse = z.output<typeof TenantListResponse>;
export type TenantResponse = z.output<typeof TenantResponse>;
export type ClusterStatusResponse = z.output<typeof ClusterStatusResponse>;
export type UserLocationResponse = z.output<typeof UserLocationResponse>;
