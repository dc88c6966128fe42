import type * as OpenTelemetry from '@opentelemetry/api';
import { ATTRIBUTE, type AttributeName, type SpanName } from './span-names';
import { formatTraceparent, parseTraceparent } from '../protocol/traceparent';
import { Tracer, type Span } from './tracer';

/** Spans of OpenTelemetry. Its API comes by the constructor, so that nothing of it is loaded while tracing is off. */
export class OtelTracer extends Tracer {
  override readonly enabled = true;

  constructor(
    private readonly api: typeof OpenTelemetry,
    private readonly tracer: OpenTelemetry.Tracer,
  ) {
    super();
  }

  override start(name: SpanName, parent?: Span | string, link?: string): Span {
    const linked = parseTraceparent(link);
    const options = {
      kind: name.startsWith('http.') ? this.api.SpanKind.SERVER : this.api.SpanKind.INTERNAL,
      ...(linked !== undefined && { links: [{ context: linked }] }),
    };
    return new OtelSpan(this.api, this.tracer.startSpan(name, options, this.#contextOf(parent)));
  }

  override within<T>(span: Span, work: () => T): T {
    return this.api.context.with(this.#contextOf(span), work);
  }

  override activeTraceId(): string | undefined {
    return this.api.trace.getActiveSpan()?.spanContext().traceId;
  }

  #contextOf(parent: Span | string | undefined): OpenTelemetry.Context {
    const { context, ROOT_CONTEXT, trace } = this.api;
    if (parent instanceof OtelSpan) return trace.setSpan(ROOT_CONTEXT, parent.span);
    const remote = parseTraceparent(parent);
    if (remote === undefined) return context.active();
    return trace.setSpanContext(ROOT_CONTEXT, { ...remote, isRemote: true });
  }
}

class OtelSpan implements Span {
  constructor(
    private readonly api: typeof OpenTelemetry,
    readonly span: OpenTelemetry.Span,
  ) {}

  get traceparent(): string {
    return formatTraceparent(this.span.spanContext());
  }

  set(attribute: AttributeName, value: string | number | boolean): this {
    this.span.setAttribute(attribute, value);
    return this;
  }

  fail(error: unknown): void {
    this.span.setStatus({ code: this.api.SpanStatusCode.ERROR });
    this.set(ATTRIBUTE.errorType, error instanceof Error ? error.name : typeof error);
  }

  end(): void {
    this.span.end();
  }
}
