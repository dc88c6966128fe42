import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import type { AddressInfo } from 'node:net';
import { Module } from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { Test } from '@nestjs/testing';
import { ConfigModule } from '../../src/config/config.module';
import { loadConfig } from '../../src/config/load-config';
import { Census } from '../../src/connection/census';
import { DispatchModule } from '../../src/dispatch/dispatch.module';
import { DispatchStatistics } from '../../src/dispatch/dispatch-statistics';
import { DispatcherService } from '../../src/dispatch/dispatcher.service';
import { PresenceService } from '../../src/dispatch/presence.service';
import { AraHttpAdapter } from '../../src/http/ara-http.adapter';
import type { Delivery, DeliveryReport } from '../../src/notification/delivery';
import { RestModule } from '../../src/rest/rest.module';
import { ServiceStatus } from '../../src/rest/service-status';
import { RuntimeModule } from '../../src/runtime/runtime.module';
import { TelemetryModule } from '../../src/telemetry/telemetry.module';
import { LoneWorker } from '../../src/workers/workers';
import { WorkersModule } from '../../src/workers/workers.module';

/** Stands behind the REST edge in these tests: remembers what it was given and answers what a test told it to. */
export class RecordingDispatcher {
  readonly deliveries: Delivery[] = [];
  /** What dispatching one gives; a test may put its own here. */
  answer: (delivery: Delivery) => Partial<DeliveryReport> = () => ({});
  deliverable = true;

  dispatch(delivery: Delivery): Promise<DeliveryReport> {
    return new Promise((resolve) => {
      const answer = this.answer(delivery);
      this.deliveries.push(delivery);
      resolve({
        id: delivery.notification.id,
        deliveredTo: 1,
        failed: 0,
        queuedCount: 0,
        durable: false,
        duplicate: false,
        expired: false,
        ...answer,
      });
    });
  }

  dispatchAtomically(deliveries: readonly Delivery[]): Promise<DeliveryReport[]> {
    return Promise.all(deliveries.map((delivery) => this.dispatch(delivery)));
  }

  isDeliverable(): Promise<boolean> {
    return Promise.resolve(this.deliverable);
  }

  get last(): Delivery {
    const last = this.deliveries.at(-1);
    if (last === undefined) throw new Error('nothing was dispatched');
    return last;
  }
}

const HEADCOUNT = {
  connections: 3,
  webSocket: 2,
  sse: 1,
  users: 2,
  usersWithMultipleConnections: 1,
  channels: 1,
  subscriptions: 2,
};

/** Who is connected, counted, as far as the REST edge asks. */
export const CENSUS: Pick<Census, 'whole' | 'subscribers' | 'subscribersHere'> = {
  whole: () => Promise.resolve(HEADCOUNT),
  subscribers: () => Promise.resolve(new Map([['orders', 2]])),
  subscribersHere: () => new Map([['orders', 2]]),
};

/** Presence and status that a test can set by assigning to its members. */
export const NOBODY: Readonly<Record<string, (...args: never[]) => unknown>> = {
  channels: () => Promise.resolve([]),
  channel: () => Promise.resolve(undefined),
  subscriptions: () => Promise.resolve(undefined),
  activeTenants: () => Promise.resolve([]),
  tenant: () => Promise.resolve(undefined),
  sessions: () => Promise.resolve([]),
  local: () => HEADCOUNT,
  cluster: () => Promise.resolve({ enabled: false, node: 'node-1', nodes: ['node-1'], connections: 3, users: 2 }),
};

export const HEALTHY: Pick<ServiceStatus, keyof ServiceStatus> = {
  uptimeSeconds: () => 12.7,
  redis: () => ({
    status: 'disabled',
    connected: false,
    required: false,
    breakerState: 'closed',
    breakerFailures: 0,
    reconnectionAttempts: 0,
    totalReconnections: 0,
  }),
  postgres: () => undefined,
  queue: () =>
    Promise.resolve({ enabled: false, backend: 'memory', durable: false, totalMessages: 0, usersWithQueue: 0 }),
  acks: () => Promise.resolve({ enabled: false, tracked: 0, acked: 0, expired: 0, pending: 0, averageLatencyMs: 0 }),
  readiness: () => [{ name: 'startup', isReady: true }],
};

export interface RestApp {
  readonly url: string;
  readonly dispatcher: RecordingDispatcher;
  readonly census: { -readonly [K in keyof typeof CENSUS]: (typeof CENSUS)[K] };
  readonly presence: Record<string, (...args: never[]) => unknown>;
  readonly status: { -readonly [K in keyof ServiceStatus]: ServiceStatus[K] };
  close(): Promise<void>;
}

/** The whole REST edge on a real port, with its real capabilities; only the engine behind it is replaced. */
export async function startRestApp(env: Record<string, string> = {}): Promise<RestApp> {
  const { config } = loadConfig({
    env: { JWT_SECRET: randomBytes(32).toString('hex'), LOG_LEVEL: 'silent', ...env },
    cwd: tmpdir(),
  });
  const dispatcher = new RecordingDispatcher();
  const presence = { ...NOBODY };
  const census = { ...CENSUS };
  const status = { ...HEALTHY };

  @Module({
    providers: [
      { provide: DispatcherService, useValue: dispatcher },
      { provide: PresenceService, useValue: presence },
      DispatchStatistics,
    ],
    exports: [DispatcherService, PresenceService, DispatchStatistics],
  })
  class FakeDispatchModule {}

  const module = await Test.createTestingModule({
    imports: [
      ConfigModule.forRoot(config),
      WorkersModule.forRoot(new LoneWorker()),
      await TelemetryModule.forRoot(config, '1.0.0'),
      RuntimeModule,
      RestModule,
    ],
  })
    .overrideModule(DispatchModule)
    .useModule(FakeDispatchModule)
    .overrideProvider(Census)
    .useValue(census)
    .overrideProvider(ServiceStatus)
    .useValue(status)
    .compile();
  const app = module.createNestApplication<NestExpressApplication>(new AraHttpAdapter());
  // Faults of ours are provoked on purpose here.
  app.useLogger(false);
  await app.listen(0, '127.0.0.1');
  const { port } = app.getHttpServer().address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, dispatcher, census, presence, status, close: () => app.close() };
}
