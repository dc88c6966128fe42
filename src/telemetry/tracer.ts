import type { AttributeName, SpanName } from './span-names';

/** One piece of work in a trace. With tracing off it is one shared object whose methods do nothing. */
export interface Span {
  /** W3C trace context that makes this span the parent of whoever reads it; undefined with tracing off. */
  readonly traceparent: string | undefined;
  set(attribute: AttributeName, value: string | number | boolean): this;
  /** Marks the work as failed. Of an error only its class is kept, because messages may quote what a client sent. */
  fail(error: unknown): void;
  /** To be called once, on every path. */
  end(): void;
}

/**
 * Makes spans. Parents are handed over explicitly, or found as the span that the calling code runs within.
 * With tracing off every method returns at once: `start` gives NULL_SPAN and nothing is allocated.
 */
export abstract class Tracer {
  abstract readonly enabled: boolean;

  /**
   * @param parent a span, or the `traceparent` text of a caller elsewhere; without it, or when the text is malformed, the
   * span that this code runs within, if any.
   * @param link `traceparent` of a span that this one has to do with, without being its child.
   */
  abstract start(name: SpanName, parent?: Span | string, link?: string): Span;

  /** Runs `work` so that the spans it starts, also after an await, are children of `span`. */
  abstract within<T>(span: Span, work: () => T): T;

  /** Trace id of the span that the calling code runs within. */
  abstract activeTraceId(): string | undefined;

  /** A span around `work`, which ends when it returns, or its promise settles; what it throws is passed on. */
  trace<T>(name: SpanName, work: (span: Span) => T, parent?: Span | string, link?: string): T {
    const span = this.start(name, parent, link);
    return endingWith(span, () => this.within(span, () => work(span)));
  }
}

/** Ends the span when `work` returns, or its promise settles; what it throws is passed on. */
export function endingWith<T>(span: Span, work: () => T): T {
  if (span === NULL_SPAN) return work();
  const fail = (error: unknown): never => {
    span.fail(error);
    span.end();
    throw error;
  };
  const end = <R>(result: R): R => {
    span.end();
    return result;
  };
  try {
    const result = work();
    return result instanceof Promise ? (result.then(end, fail) as T) : end(result);
  } catch (error) {
    return fail(error);
  }
}

export const NULL_SPAN: Span = {
  traceparent: undefined,
  set: () => NULL_SPAN,
  fail: () => undefined,
  end: () => undefined,
};

/** Tracing is off. */
export class NullTracer extends Tracer {
  override readonly enabled = false;

  override start(): Span {
    return NULL_SPAN;
  }

  override within<T>(_span: Span, work: () => T): T {
    return work();
  }

  override activeTraceId(): undefined {
    return undefined;
  }

  override trace<T>(_name: SpanName, work: (span: Span) => T): T {
    return work(NULL_SPAN);
  }
}
