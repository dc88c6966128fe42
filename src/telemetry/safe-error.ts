const MAX_CAUSES = 5;

export interface SafeError {
  readonly type: string;
  readonly message: string;
  readonly stack?: string;
  readonly code?: string | number;
  readonly reason?: string;
  readonly cause?: SafeError;
  readonly errors?: readonly SafeError[];
}

/**
 * What a log line may hold of an error. Only these fields are taken, because clients of databases hang the failed command
 * with its arguments (payloads, passwords) on their errors.
 */
export function safeError(thrown: unknown, depth = 0): SafeError | string {
  if (typeof thrown !== 'object' || thrown === null) return String(thrown);
  const error: Partial<Record<keyof SafeError | 'name', unknown>> = thrown;
  const deeper = (inner: unknown): SafeError => {
    const safe = safeError(inner, depth + 1);
    return typeof safe === 'string' ? { type: 'unknown', message: safe } : safe;
  };
  return {
    type: text(error.name) || 'Error',
    message: text(error.message),
    ...(typeof error.stack === 'string' && { stack: error.stack }),
    ...((typeof error.code === 'string' || typeof error.code === 'number') && { code: error.code }),
    ...(typeof error.reason === 'string' && { reason: error.reason }),
    ...(error.cause !== undefined && depth < MAX_CAUSES && { cause: deeper(error.cause) }),
    ...(Array.isArray(error.errors) && depth < MAX_CAUSES && { errors: error.errors.slice(0, MAX_CAUSES).map(deeper) }),
  };
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
