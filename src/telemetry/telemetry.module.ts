import { Logger as NestLogger, Module, type DynamicModule } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { PrometheusModule } from '@willsoto/nestjs-prometheus';
import { LoggerModule } from 'nestjs-pino';
import type { AraConfig } from '../config/ara-config';
import { createLogger } from './logging';
import { Metrics } from './metrics';
import { MetricsController, NoMetricsController } from './metrics.controller';
import { MetricsEndpoint } from './metrics-endpoint';
import { MetricsListener } from './metrics-listener';
import { NotificationTraces } from './notification-traces';
import { RepeatedWarnings } from './repeated-warnings';
import { TelemetryLifecycle } from './telemetry-lifecycle';
import { Tracer } from './tracer';
import { startTracing } from './tracing';
import { WholeMetrics } from './whole-metrics';
import { LoneWorker, type Workers } from '../workers/workers';

/** Some 150 bytes each; more than the notifications of an ACK's time to live on one node. */
const REMEMBERED_TRACES = 20_000;

/**
 * Logs, metrics and traces. Gives `Metrics`, `Tracer` and `NotificationTraces` to every module; what is logged through
 * Nest's `Logger` goes to pino once the application has been told to use the `Logger` of nestjs-pino.
 */
@Module({})
export class TelemetryModule {
  /** Tracing runs when this resolves, so before any provider is made. `version` is told with every span. */
  static async forRoot(
    config: AraConfig,
    version: string,
    workers: Workers = new LoneWorker(),
  ): Promise<DynamicModule> {
    const { metricsPort, metricsToken, otelEnabled, traceInFrames } = config.telemetry;
    const warnings = new RepeatedWarnings(new NestLogger('Tracing'), { now: () => Date.now() });
    const tracing = await startTracing(config.telemetry, version, (problem) => {
      warnings.warn('export', problem);
    });
    const { tracer } = tracing;
    const logger = await createLogger(config.telemetry, {
      worker: workers.number,
      ...(tracer.enabled && { activeTraceId: () => tracer.activeTraceId() }),
    });
    const metrics = new Metrics();
    metrics.gauge('ara_process_memory_bytes', 'Resident memory of the process', () => process.memoryUsage.rss());
    const scrape = workers.count === 1 ? metrics : new WholeMetrics(metrics, workers);
    const endpoint = new MetricsEndpoint(scrape, metricsToken);
    return {
      module: TelemetryModule,
      global: true,
      imports: [
        // No route: the middleware would put every request into an AsyncLocalStorage, at a cost that each of them pays.
        LoggerModule.forRoot({ pinoHttp: { logger }, forRoutes: [] }),
        PrometheusModule.register({
          controller: metricsPort === undefined ? MetricsController : NoMetricsController,
          defaultMetrics: { enabled: true, config: { register: metrics.registry } },
        }),
        ...(otelEnabled ? [(await import('nestjs-otel')).OpenTelemetryModule.forRoot({})] : []),
      ],
      providers: [
        { provide: Metrics, useValue: metrics },
        { provide: MetricsEndpoint, useValue: endpoint },
        { provide: Tracer, useValue: tracer },
        {
          provide: NotificationTraces,
          useValue: new NotificationTraces(tracer.enabled && traceInFrames ? REMEMBERED_TRACES : 0),
        },
        {
          provide: TelemetryLifecycle,
          inject: [HttpAdapterHost],
          useFactory: (http: HttpAdapterHost) =>
            new TelemetryLifecycle(config, logger, tracing, new MetricsListener(endpoint), http),
        },
      ],
      exports: [Metrics, Tracer, NotificationTraces, MetricsEndpoint],
    };
  }
}
