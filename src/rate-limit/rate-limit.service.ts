import { Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { AraConfig } from '../config/ara-config';
import { Clock } from '../notification/clock';
import { Metrics, type Counter } from '../telemetry/metrics';
import { RateLimiter, type BucketKey } from './rate-limiter';
import { TokenBucket, type BucketRule, type Decision } from './token-bucket';

/** Long enough that a client which reconnects in a loop gets through once its whole allowance is back. */
const CONNECT_RETRY_AFTER_SECONDS = 60;

/** Now, or when a remote backend has answered. undefined: limits are off, and no header speaks of them. */
export type Verdict = Decision | Promise<Decision> | undefined;

/** Limits the messages of one connection. */
export interface MessageBucket {
  /** Whether one more message is in order at `now` (milliseconds since 1970). */
  take(now: number): boolean;
}

interface Tally {
  readonly allowed: Counter;
  readonly denied: Counter;
}

const UNLIMITED: MessageBucket = { take: () => true };

/** The three limits: requests, connection attempts, messages. When rate limiting is off, all pass. */
@Injectable()
export class RateLimitService implements OnModuleInit, OnModuleDestroy {
  readonly #enabled: boolean;
  readonly #requests: BucketRule;
  readonly #connects: BucketRule;
  readonly #messages: BucketRule;
  readonly #sweepMs: number;
  readonly #http: Tally;
  readonly #ws: Tally;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    { rateLimit }: AraConfig,
    private readonly limiter: RateLimiter,
    private readonly clock: Clock,
    metrics: Metrics,
  ) {
    const { httpBurst, httpRequestsPerSecond, wsConnectionsPerMinute, wsMessagesPerSecond } = rateLimit;
    this.#enabled = rateLimit.enabled;
    this.#requests = { capacity: httpBurst, refillTokens: httpRequestsPerSecond, refillPeriodMs: 1000 };
    this.#connects = {
      capacity: wsConnectionsPerMinute,
      refillTokens: wsConnectionsPerMinute,
      refillPeriodMs: 60_000,
    };
    this.#messages = { capacity: wsMessagesPerSecond, refillTokens: wsMessagesPerSecond, refillPeriodMs: 1000 };
    this.#sweepMs = rateLimit.cleanupSeconds * 1000;
    const known = [['http'], ['ws']] as const;
    const allowed = metrics.labelledCounter(
      'ara_ratelimit_allowed_total',
      'Requests (http) and connection attempts (ws) that the rate limit let pass',
      ['type'],
      known,
    );
    const denied = metrics.labelledCounter(
      'ara_ratelimit_denied_total',
      'Requests (http) and connection attempts (ws) that the rate limit refused',
      ['type'],
      known,
    );
    this.#http = { allowed: allowed.with('http'), denied: denied.with('http') };
    this.#ws = { allowed: allowed.with('ws'), denied: denied.with('ws') };
  }

  onModuleInit(): void {
    if (!this.#enabled) return;
    this.#timer = setInterval(() => {
      this.limiter.sweep(this.clock.now());
    }, this.#sweepMs).unref();
  }

  onModuleDestroy(): void {
    clearInterval(this.#timer);
  }

  /** One REST request: of the API key with this bucket, or of the client address when the key is none that is known. */
  request(bucket: string | undefined, address: string): Verdict {
    if (!this.#enabled) return undefined;
    const key: BucketKey = bucket === undefined ? { kind: 'address', id: address } : { kind: 'api-key', id: bucket };
    return counted(this.limiter.take(key, this.#requests, this.clock.now()), this.#http);
  }

  /** One attempt to open a WebSocket or an SSE stream, the failed ones too. */
  connect(address: string): Verdict {
    if (!this.#enabled) return undefined;
    const decision = this.limiter.take({ kind: 'connect', id: address }, this.#connects, this.clock.now());
    const counting = counted(decision, this.#ws);
    return counting instanceof Promise ? counting.then(patient) : patient(counting);
  }

  /** For one new connection, which keeps it: no lookup per message. */
  messageBucket(): MessageBucket {
    return this.#enabled ? new TokenBucket(this.#messages, this.clock.now()) : UNLIMITED;
  }
}

/** Keeps the common case free of promises. */
function counted(decision: Decision | Promise<Decision>, tally: Tally): Decision | Promise<Decision> {
  if (decision instanceof Promise) return decision.then((late) => counted(late, tally));
  (decision.allowed ? tally.allowed : tally.denied).inc();
  return decision;
}

function patient(decision: Decision): Decision {
  return decision.allowed ? decision : { ...decision, retryAfterSeconds: CONNECT_RETRY_AFTER_SECONDS };
}
