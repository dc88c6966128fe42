import { AraError } from '../notification/ara-error';
import type { Decision } from './token-bucket';

/** The headers that tell a client where it stands, name and value in turn. */
export function allowanceHeaders({ limit, remaining, resetSeconds }: Decision): string[] {
  const values = [String(limit), String(remaining), String(resetSeconds)] as const;
  return ['X-RateLimit-Limit', values[0], 'X-RateLimit-Remaining', values[1], 'X-RateLimit-Reset', values[2]];
}

/** The same by name; with `Retry-After` when it has to wait. */
export function rateLimitHeaders(decision: Decision): Record<string, string> {
  const { allowed, limit, remaining, resetSeconds, retryAfterSeconds } = decision;
  return {
    'X-RateLimit-Limit': String(limit),
    'X-RateLimit-Remaining': String(remaining),
    'X-RateLimit-Reset': String(resetSeconds),
    ...(allowed ? {} : { 'Retry-After': String(retryAfterSeconds) }),
  };
}

/** What a refused client is told. */
export function rateLimited({ retryAfterSeconds }: Pick<Decision, 'retryAfterSeconds'>): AraError {
  return new AraError('RATE_LIMITED', `Too many requests, please retry after ${retryAfterSeconds} seconds`, {
    retryAfterSeconds,
  });
}
