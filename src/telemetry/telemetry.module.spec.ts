import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import request from 'supertest';
import { freePort } from '../../test/support/free-port';
import type { AraConfig, TelemetryConfig } from '../config/ara-config';
import { Metrics } from './metrics';
import { NULL_SPAN, Tracer } from './tracer';
import { TelemetryModule } from './telemetry.module';

const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

let app: INestApplication<Server>;

async function start(changes: Partial<TelemetryConfig> = {}): Promise<void> {
  const telemetry: TelemetryConfig = {
    logLevel: 'silent',
    logFormat: 'json',
    otelEnabled: false,
    otelEndpoint: '',
    otelServiceName: '',
    otelSamplingRatio: 1,
    metricsPort: undefined,
    metricsToken: undefined,
    traceInFrames: false,
    canaryIntervalSeconds: 0,
    ...changes,
  };
  const config = { telemetry, server: { host: '127.0.0.1' } } as unknown as AraConfig;
  const module = await Test.createTestingModule({ imports: [TelemetryModule.forRoot(config, '1.0.0')] }).compile();
  app = module.createNestApplication<INestApplication<Server>>();
  await app.init();
}

afterEach(() => app.close());

describe('/metrics', () => {
  it('shows what was registered, the memory of the process and the default metrics of Node', async () => {
    await start();
    app.get(Metrics).counter('ara_test_total', 'Test').inc(3);
    const answer = await request(app.getHttpServer()).get('/metrics').expect(200).expect('Content-Type', CONTENT_TYPE);
    expect(answer.text).toContain('\nara_test_total 3\n');
    expect(answer.text).toMatch(/\nara_process_memory_bytes \d{7,}\n/);
    expect(answer.text).toMatch(/\nprocess_cpu_seconds_total /);
    expect(answer.text).toMatch(/\nnodejs_eventloop_lag_p99_seconds /);
  });

  it('is parsable line by line', async () => {
    await start();
    const { text } = await request(app.getHttpServer()).get('/metrics');
    const line = /^(# (HELP|TYPE) \w+ .+|\w+(\{\w+="[^"\n]*"(,\w+="[^"\n]*")*\})? [-+\d.eInfNa]+|)$/;
    expect(text.split('\n').filter((each) => !line.test(each))).toEqual([]);
  });

  it('asks for the configured token', async () => {
    await start({ metricsToken: 'scrape-me' });
    const server = app.getHttpServer();
    const refused = await request(server).get('/metrics').expect(401).expect('WWW-Authenticate', 'Bearer');
    expect(refused.body).toEqual({ error: { code: 'UNAUTHORIZED', message: expect.any(String) as unknown } });
    await request(server).get('/metrics').set('Authorization', 'Bearer scrape-you').expect(401);
    await request(server).get('/metrics').set('Authorization', 'scrape-me').expect(401);
    await request(server).get('/metrics').set('Authorization', 'Bearer scrape-me').expect(200);
  });

  it('has its own port when one is configured, on which nothing else answers', async () => {
    const metricsPort = await freePort();
    await start({ metricsPort, metricsToken: 'scrape-me' });
    const own = request(`http://127.0.0.1:${metricsPort}`);
    await own.get('/metrics').expect(401);
    await own
      .get('/metrics?x=1')
      .set('Authorization', 'Bearer scrape-me')
      .expect(200)
      .expect('Content-Type', CONTENT_TYPE);
    await own.get('/').expect(404);
    await own.get('/health').expect(404);
    await own.post('/metrics').expect(404);
    await request(app.getHttpServer()).get('/metrics').expect(404);

    await app.close();
    await expect(own.get('/metrics')).rejects.toThrow('ECONNREFUSED');
  });

  it('refuses to start on a port that is taken', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo;
    await expect(start({ metricsPort: port })).rejects.toThrow('EADDRINUSE');
    taken.close();
    await once(taken, 'close');
  });
});

it('serves modules without an HTTP server, too', async () => {
  await start();
  const config = { telemetry: { logLevel: 'silent', logFormat: 'json', otelEnabled: false } } as unknown as AraConfig;
  const module = await Test.createTestingModule({ imports: [TelemetryModule.forRoot(config, '1.0.0')] }).compile();
  await module.init();
  expect(module.get(Metrics)).not.toBe(app.get(Metrics));
  await module.close();
});

it('gives a tracer that costs nothing while tracing is off', async () => {
  await start();
  const tracer = app.get(Tracer);
  expect(tracer.enabled).toBe(false);
  expect(tracer.start('dispatcher.dispatch')).toBe(NULL_SPAN);
  expect(NULL_SPAN.set('event_type', 'x')).toBe(NULL_SPAN);
  expect(NULL_SPAN.traceparent).toBeUndefined();
  expect(tracer.trace('ws.ack', () => 7)).toBe(7);
});
