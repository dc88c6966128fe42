import type { TelemetryConfig } from '../config/ara-config';
import { OtelTracer } from './otel-tracer';
import { NullTracer, type Tracer } from './tracer';

/** Spans that wait for export; what exceeds it is dropped, so that a dead collector costs the memory of so many and no more. */
const MAX_QUEUED_SPANS = 8192;
const EXPORT_EVERY_MS = 1000;
const EXPORT_TIMEOUT_MS = 5000;
/** Longest that the end of the process waits for the last spans to leave. */
const FLUSH_TIMEOUT_MS = 3000;

/** The tracing of this process. */
export interface Tracing {
  readonly tracer: Tracer;
  /** Sends what waits and stops; takes 3 seconds at most, never rejects. */
  shutdown(): Promise<void>;
}

/**
 * Starts the export of spans over OTLP/gRPC when the configuration asks for it. Off: nothing of OpenTelemetry is loaded.
 * A collector that cannot be reached harms nothing: `warn` is told, spans are dropped.
 */
export async function startTracing(
  config: TelemetryConfig,
  version: string,
  warn: (problem: string) => void,
): Promise<Tracing> {
  if (!config.otelEnabled) return { tracer: new NullTracer(), shutdown: () => Promise.resolve() };
  const api = await import('@opentelemetry/api');
  const { NodeSDK, resources } = await import('@opentelemetry/sdk-node');
  const { BatchSpanProcessor } = await import('@opentelemetry/sdk-trace-base');
  const { OTLPTraceExporter } = await import('@opentelemetry/exporter-trace-otlp-grpc');
  const ignore = (): void => undefined;
  api.diag.setLogger(
    { error: warn, warn, info: ignore, debug: ignore, verbose: ignore },
    { logLevel: api.DiagLogLevel.WARN, suppressOverrideMessage: true },
  );
  const sdk = new NodeSDK({
    resource: resources.resourceFromAttributes({ 'service.name': config.otelServiceName, 'service.version': version }),
    autoDetectResources: false,
    sampler: await samplerOf(config.otelSamplingRatio),
    spanProcessors: [
      new BatchSpanProcessor(new OTLPTraceExporter({ url: config.otelEndpoint, timeoutMillis: EXPORT_TIMEOUT_MS }), {
        maxQueueSize: MAX_QUEUED_SPANS,
        scheduledDelayMillis: EXPORT_EVERY_MS,
        exportTimeoutMillis: EXPORT_TIMEOUT_MS,
      }),
    ],
    // Trace context travels in fields of our own messages, see OtelTracer.
    textMapPropagator: null,
    // Without these two the SDK would export metrics and logs over HTTP on its own account.
    metricReaders: [],
    logRecordProcessors: [],
  });
  sdk.start();
  const stop = async (): Promise<void> => {
    await within(FLUSH_TIMEOUT_MS, sdk.shutdown()).catch((error: unknown) => {
      warn(error instanceof Error ? error.message : String(error));
    });
    // The SDK registers itself for the whole process; tests start more than one application in it.
    api.trace.disable();
    api.context.disable();
    api.diag.disable();
  };
  let stopped: Promise<void> | undefined;
  return {
    tracer: new OtelTracer(api, api.trace.getTracer('ara', version)),
    shutdown: () => (stopped ??= stop()),
  };
}

async function samplerOf(ratio: number): Promise<import('@opentelemetry/sdk-trace-base').Sampler> {
  const { AlwaysOffSampler, AlwaysOnSampler, TraceIdRatioBasedSampler } = await import('@opentelemetry/sdk-trace-base');
  if (ratio >= 1) return new AlwaysOnSampler();
  return ratio <= 0 ? new AlwaysOffSampler() : new TraceIdRatioBasedSampler(ratio);
}

async function within(limitMs: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, limitMs);
  });
  await Promise.race([work, limit]).finally(() => {
    clearTimeout(timer);
  });
}
