import { DatabaseError } from 'pg';

/** Data exceptions, violated constraints, exceeded limits: SQLSTATE classes that speak of the values of a statement. */
const REFUSALS = new Set(['22', '23', '54']);

/**
 * Whether the server refused this very input. Everything else (no connection, no answer, shutting down, read-only, disk full,
 * tables missing) would have befallen any input.
 */
export function isRefusal(error: unknown): boolean {
  if (error instanceof DatabaseError) return REFUSALS.has(error.code?.slice(0, 2) ?? '');
  // pg could not even encode it: a defect of the caller.
  return error instanceof TypeError || error instanceof RangeError;
}
