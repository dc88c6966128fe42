import { AraError } from '../notification/ara-error';
import type { Decision } from './token-bucket';

/** The headers that tell a client where it stands; with `Retry-After` when it has to wait. */
export function rateLimitHeaders({
  allowed,
  limit,
  remaining,
  resetSeconds,
  retryAfterSeconds,
}: Decision): Record<string, string> {
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
