import type { AraConfig } from '../../src/config/ara-config';
import { Clock } from '../../src/notification/clock';
import { PostgresService } from '../../src/postgres/postgres.service';
import { Metrics } from '../../src/telemetry/metrics';

export interface PostgresOptions {
  readonly production?: boolean;
  readonly timeoutMs?: number;
  readonly bootTimeoutSeconds?: number;
  readonly poolSize?: number;
}

class SystemClock extends Clock {
  now(): number {
    return Date.now();
  }
}

/** As Ara would make it for this DATABASE_URL; not opened yet. */
export function postgresService(
  url: string,
  { production = false, timeoutMs = 10_000, bootTimeoutSeconds = 15, poolSize = 5 }: PostgresOptions = {},
  metrics = new Metrics(),
): PostgresService {
  const config = {
    production,
    store: { timeoutMs, bootTimeoutSeconds },
    database: { url, poolSize, connectTimeoutSeconds: 30, idleTimeoutSeconds: 600 },
    redis: { breakerFailureThreshold: 5, breakerSuccessThreshold: 2, breakerResetSeconds: 30 },
  } as unknown as AraConfig;
  return new PostgresService(config, new SystemClock(), metrics);
}
