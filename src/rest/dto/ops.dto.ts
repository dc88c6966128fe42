import { z } from 'zod';

const count = z.int().min(0);
const backend = z.enum(['memory', 'redis', 'postgres']);

const RedisHealth = z.object({
  status: z.enum(['healthy', 'reconnecting', 'circuit_open', 'disabled']),
  connected: z.boolean(),
});

export const HealthResponse = z
  .object({
    status: z.enum(['healthy', 'degraded']).meta({ description: 'degraded: Redis is required and not healthy' }),
    version: z.string(),
    uptime_seconds: count,
    redis: RedisHealth,
    postgres: z
      .object({
        status: z.enum(['connected', 'disconnected']),
        connected: z.boolean(),
        pool_size: count,
        idle_connections: count,
      })
      .optional(),
    connections: z.object({ total: count, unique_users: count, channels_count: count }),
    queue: z.object({
      enabled: z.boolean(),
      backend,
      durable: z.boolean(),
      total_messages: count,
      users_with_queue: count,
    }),
    cluster: z.object({ enabled: z.literal(true), server_id: z.string() }).optional(),
  })
  .meta({ id: 'Health' });

const ackFigures = {
  enabled: z.boolean(),
  total_tracked: count,
  total_acked: count,
  total_expired: count,
  pending_count: count,
  ack_rate: z.number().min(0).meta({ description: 'Acknowledged of tracked; 1 without any' }),
  avg_latency_ms: count,
};

const totals = {
  total_connections: count,
  unique_users: count,
  channels: z.record(z.string(), count).meta({ description: 'Subscribers per channel' }),
};

export const StatsResponse = z
  .object({
    connections: z.object(totals),
    notifications: z.object({
      total_sent: count,
      total_delivered: count,
      total_failed: count,
      user_notifications: count,
      broadcast_notifications: count,
      channel_notifications: count,
    }),
    redis: RedisHealth.extend({
      circuit_breaker_state: z.enum(['closed', 'open', 'half_open']),
      circuit_breaker_failures: count,
      reconnection_attempts: count,
      total_reconnections: count,
    }),
    ack: z.object(ackFigures).optional().meta({ description: 'Only while acknowledgements are on' }),
  })
  .meta({ id: 'Stats' });

export const DetailedStatsResponse = StatsResponse.extend({
  connections: z.object({ ...totals, total: count, websocket: count, sse: count }),
  users: z.object({ connected: count, with_multiple_connections: count }),
  channels: z.object({ active: count, total_subscriptions: count }),
  messages: z.object({ sent_today: count, delivered_today: count, failed_today: count }),
}).meta({ id: 'DetailedStats' });

export const AckStatsResponse = z
  .object({ pending: count, acknowledged: count, expired: count, average_ack_time_ms: count, ...ackFigures })
  .meta({ id: 'AckStats' });

/** Terminus' answer. */
export const ReadinessResponse = z
  .object({
    status: z.enum(['ok', 'error', 'shutting_down']),
    info: z.record(z.string(), z.unknown()).optional(),
    error: z.record(z.string(), z.unknown()).optional(),
    details: z.record(z.string(), z.unknown()),
  })
  .meta({ id: 'Readiness' });

export const LivenessResponse = z.object({ status: z.literal('ok') }).meta({ id: 'Liveness' });

export const ErrorResponse = z
  .object({
    error: z.object({
      code: z.string().meta({ example: 'VALIDATION_ERROR' }),
      message: z.string(),
      details: z.record(z.string(), z.unknown()).optional(),
      retry_after_seconds: count.optional(),
    }),
  })
  .meta({ id: 'Error' });

export type HealthResponse = z.output<typeof HealthResponse>;
export type StatsResponse = z.output<typeof StatsResponse>;
export type DetailedStatsResponse = z.output<typeof DetailedStatsResponse>;
export type AckStatsResponse = z.output<typeof AckStatsResponse>;
export type LivenessResponse = z.output<typeof LivenessResponse>;
