import { Controller, Get, HttpStatus, Res, ServiceUnavailableException } from '@nestjs/common';
import { HealthCheckService, HealthIndicatorService, type HealthCheckResult } from '@nestjs/terminus';
import type { ServerResponse } from 'node:http';
import { AraConfig } from '../config/ara-config';
import { Census } from '../connection/census';
import type { HealthResponse, LivenessResponse } from './dto/ops.dto';
import { ServiceStatus } from './service-status';
import { VERSION } from '../version';

/** Health for people and dashboards, liveness and readiness for an orchestrator. All public. */
@Controller('health')
export class HealthController {
  constructor(
    private readonly status: ServiceStatus,
    private readonly census: Census,
    private readonly config: AraConfig,
    private readonly checks: HealthCheckService,
    private readonly indicators: HealthIndicatorService,
  ) {}

  /** Always 200. */
  @Get()
  async health(): Promise<HealthResponse> {
    const redis = this.status.redis();
    const postgres = this.status.postgres();
    const [local, queue] = await Promise.all([this.census.whole(), this.status.queue()]);
    const { enabled, machineId } = this.config.cluster;
    return {
      status: redis.required && redis.status !== 'healthy' ? 'degraded' : 'healthy',
      version: VERSION,
      uptime_seconds: Math.floor(this.status.uptimeSeconds()),
      redis: { status: redis.status, connected: redis.connected },
      ...(postgres !== undefined && {
        postgres: {
          status: postgres.connected ? ('connected' as const) : ('disconnected' as const),
          connected: postgres.connected,
          pool_size: postgres.poolSize,
          idle_connections: postgres.idleConnections,
        },
      }),
      connections: { total: local.connections, unique_users: local.users, channels_count: local.channels },
      queue: {
        enabled: queue.enabled,
        backend: queue.backend,
        durable: queue.durable,
        total_messages: queue.totalMessages,
        users_with_queue: queue.usersWithQueue,
      },
      ...(enabled && { cluster: { enabled, server_id: machineId } }),
    };
  }

  /** An answer at all is the proof. */
  @Get('live')
  live(): LivenessResponse {
    return { status: 'ok' };
  }

  /** 503 while starting, draining, or without a dependency that is required. */
  @Get('ready')
  async ready(@Res({ passthrough: true }) response: ServerResponse): Promise<HealthCheckResult> {
    try {
      return await this.checks.check(
        this.status.readiness().map(({ name, isReady }) => () => {
          const indicator = this.indicators.check(name);
          return isReady ? indicator.up() : indicator.down();
        }),
      );
    } catch (error) {
      if (!(error instanceof ServiceUnavailableException)) throw error;
      response.statusCode = HttpStatus.SERVICE_UNAVAILABLE;
      return error.getResponse() as HealthCheckResult;
    }
  }
}
