import type { Server } from 'node:http';
import type { HttpServer, OnApplicationBootstrap, OnApplicationShutdown } from '@nestjs/common';
import type { HttpAdapterHost } from '@nestjs/core';
import type { Logger } from 'pino';
import type { AraConfig } from '../config/ara-config';
import type { MetricsListener } from './metrics-listener';
import { logRequests } from './request-log';
import type { Tracing } from './tracing';

/** Starts with the application what watches it, and ends it last. */
export class TelemetryLifecycle implements OnApplicationBootstrap, OnApplicationShutdown {
  constructor(
    private readonly config: AraConfig,
    private readonly logger: Logger,
    private readonly tracing: Tracing,
    private readonly listener: MetricsListener,
    private readonly http: HttpAdapterHost,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    // Undefined in an application context, which has no server.
    const adapter = this.http.httpAdapter as HttpServer | undefined;
    if (adapter !== undefined) logRequests(adapter.getHttpServer() as Server, this.logger);
    const { metricsPort } = this.config.telemetry;
    if (metricsPort !== undefined) await this.listener.listen(this.config.server.host, metricsPort);
  }

  async onApplicationShutdown(): Promise<void> {
    await this.tracing.shutdown();
    await this.listener.close();
  }
}
