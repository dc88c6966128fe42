import { Controller, Get } from '@nestjs/common';
import { Census } from '../connection/census';
import type { TenantId } from '../notification/ids';
import type { AckStatsResponse, DetailedStatsResponse, StatsResponse } from './dto/ops.dto';
import { Exchange } from './exchange';
import { Knock } from './exchange.decorator';
import { ServiceStatus, type AckStatus } from './service-status';
import { ServiceTotals } from './service-totals';

/** Figures of this node, of all its workers. Who comes with a tenant sees that tenant's connections and channels. */
@Controller()
export class StatsController {
  constructor(
    private readonly status: ServiceStatus,
    private readonly census: Census,
    private readonly totals: ServiceTotals,
  ) {}

  @Get('stats')
  stats(@Knock() { tenant }: Exchange): Promise<StatsResponse> {
    return this.#stats(tenant);
  }

  @Get('api/v1/stats')
  async detailed(@Knock() { tenant }: Exchange): Promise<DetailedStatsResponse> {
    const [stats, local, { sentToday, deliveredToday, failedToday }] = await Promise.all([
      this.#stats(tenant),
      this.census.whole(tenant),
      this.totals.whole(),
    ]);
    return {
      ...stats,
      connections: { ...stats.connections, total: local.connections, websocket: local.webSocket, sse: local.sse },
      users: { connected: local.users, with_multiple_connections: local.usersWithMultipleConnections },
      channels: { active: local.channels, total_subscriptions: local.subscriptions },
      messages: { sent_today: sentToday, delivered_today: deliveredToday, failed_today: failedToday },
    };
  }

  @Get('api/v1/stats/acks')
  async acks(): Promise<AckStatsResponse> {
    const figures = ackFigures(await this.status.acks());
    return {
      pending: figures.pending_count,
      acknowledged: figures.total_acked,
      expired: figures.total_expired,
      average_ack_time_ms: figures.avg_latency_ms,
      ...figures,
    };
  }

  async #stats(tenant: TenantId | undefined): Promise<StatsResponse> {
    const [local, subscribers, { sent, delivered, failed, toUsers, toAll, toChannels }, acks] = await Promise.all([
      this.census.whole(tenant),
      this.census.subscribers(tenant),
      this.totals.whole(),
      this.status.acks(),
    ]);
    const redis = this.status.redis();
    return {
      connections: {
        total_connections: local.connections,
        unique_users: local.users,
        channels: Object.fromEntries(subscribers),
      },
      notifications: {
        total_sent: sent,
        total_delivered: delivered,
        total_failed: failed,
        user_notifications: toUsers,
        broadcast_notifications: toAll,
        channel_notifications: toChannels,
      },
      redis: {
        status: redis.status,
        connected: redis.connected,
        circuit_breaker_state: redis.breakerState,
        circuit_breaker_failures: redis.breakerFailures,
        reconnection_attempts: redis.reconnectionAttempts,
        total_reconnections: redis.totalReconnections,
      },
      ...(acks.enabled && { ack: ackFigures(acks) }),
    };
  }
}

function ackFigures(acks: AckStatus): NonNullable<StatsResponse['ack']> {
  return {
    enabled: acks.enabled,
    total_tracked: acks.tracked,
    total_acked: acks.acked,
    total_expired: acks.expired,
    pending_count: acks.pending,
    ack_rate: acks.tracked === 0 ? 1 : round(acks.acked / acks.tracked),
    avg_latency_ms: Math.floor(acks.averageLatencyMs),
  };
}

/** Four digits, as a dashboard shows a rate. */
function round(rate: number): number {
  return Math.round(rate * 10_000) / 10_000;
}
