import type { AraConfig } from '../config/ara-config';

/** What the supervisor tells a worker. */
export type ToWorker =
  /** The first message: who it is, and the configuration that was read once for all. */
  | { readonly kind: 'assignment'; readonly number: number; readonly config: AraConfig; readonly startedAt: number }
  /** All have come up; the port may be opened. */
  | { readonly kind: 'listen' }
  | { readonly kind: 'drain' }
  | { readonly kind: 'others'; readonly connections: number; readonly areReady: boolean }
  | { readonly kind: 'question'; readonly id: number; readonly subject: string; readonly question: unknown }
  | { readonly kind: 'answers'; readonly id: number; readonly answers: readonly unknown[] };

/** What a worker tells the supervisor. */
export type FromWorker =
  /** Its stores are open; only the port is missing. */
  | { readonly kind: 'prepared' }
  | { readonly kind: 'listening' }
  /** It cannot start. */
  | { readonly kind: 'failed'; readonly reason: string }
  /** Every second, and at once when something changes. */
  | { readonly kind: 'report'; readonly connections: number; readonly isReady: boolean }
  | { readonly kind: 'ask'; readonly id: number; readonly subject: string; readonly question: unknown }
  /** Without `answer`: it could not say. */
  | { readonly kind: 'answer'; readonly id: number; readonly answer?: unknown };

/** Messages of ours have a kind; Node's own, which share the pipe, have not. */
export function isMessage(raw: unknown): raw is { readonly kind: string } {
  return typeof raw === 'object' && raw !== null && 'kind' in raw && typeof raw.kind === 'string';
}

export function parseToWorker(raw: unknown): ToWorker | undefined {
  return isMessage(raw) ? (raw as ToWorker) : undefined;
}

export function parseFromWorker(raw: unknown): FromWorker | undefined {
  return isMessage(raw) ? (raw as FromWorker) : undefined;
}
