import type { StoreBackend } from '../config/ara-config';

export interface RedisStatus {
  /** `disabled`: nothing in this service uses Redis. */
  readonly status: 'healthy' | 'reconnecting' | 'circuit_open' | 'disabled';
  readonly connected: boolean;
  /** A store or the cluster lives there; triggers alone do not require it. */
  readonly required: boolean;
  readonly breakerState: 'closed' | 'open' | 'half_open';
  readonly breakerFailures: number;
  readonly reconnectionAttempts: number;
  readonly totalReconnections: number;
}

export interface PostgresStatus {
  readonly connected: boolean;
  readonly poolSize: number;
  readonly idleConnections: number;
}

export interface QueueStatus {
  readonly enabled: boolean;
  readonly backend: StoreBackend;
  readonly durable: boolean;
  readonly totalMessages: number;
  readonly usersWithQueue: number;
}

export interface AckStatus {
  readonly enabled: boolean;
  readonly tracked: number;
  readonly acked: number;
  readonly expired: number;
  readonly pending: number;
  readonly averageLatencyMs: number;
}

/** One thing that must work before requests are sent here. */
export interface ReadinessCheck {
  /** `startup`, `redis`, `postgres`, `draining`, `workers` … */
  readonly name: string;
  readonly isReady: boolean;
}

/** The state of this service's dependencies, as their owners in this process see it. No method throws or rejects: what cannot be asked is told as it was known last. */
export abstract class ServiceStatus {
  abstract uptimeSeconds(): number;
  abstract redis(): RedisStatus;
  /** undefined: there is no pool. */
  abstract postgres(): PostgresStatus | undefined;
  abstract queue(): Promise<QueueStatus>;
  abstract acks(): Promise<AckStatus>;
  /** Start-up, draining, required dependencies, the other workers. */
  abstract readiness(): readonly ReadinessCheck[];
}
