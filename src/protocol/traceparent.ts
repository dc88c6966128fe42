/** W3C Trace Context, `traceparent`: version, trace id, parent span id, flags; the first bit of the flags says "sampled". */
export interface TraceParent {
  readonly traceId: string;
  readonly spanId: string;
  readonly traceFlags: number;
}

const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-((?!0{32})[0-9a-f]{32})-((?!0{16})[0-9a-f]{16})-([0-9a-f]{2})$/;

/** undefined unless it is well-formed: lower case, ids not zero, version not `ff`. */
export function parseTraceparent(raw: unknown): TraceParent | undefined {
  const [, traceId, spanId, flags] = (typeof raw === 'string' && TRACEPARENT.exec(raw)) || [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16) };
}

/** The text of version 00. */
export function formatTraceparent({ traceId, spanId, traceFlags }: TraceParent): string {
  return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`;
}
