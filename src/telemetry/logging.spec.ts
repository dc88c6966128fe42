import { createServer, get, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { Writable } from 'node:stream';
import type { TelemetryConfig } from '../config/ara-config';
import { createLogger } from './logging';
import { logRequests } from './request-log';

const SECRET = 'canary-4711';
const JWT = `eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1In0.${SECRET}`;

let written: string;
const destination = new Writable({
  write: (chunk: Buffer, _, done) => {
    written += chunk.toString();
    done();
  },
});
const lines = (): Record<string, unknown>[] =>
  written
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

function config(changes: Partial<TelemetryConfig> = {}): TelemetryConfig {
  return {
    logLevel: 'trace',
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
}

beforeEach(() => {
  written = '';
});

describe('a line', () => {
  it('is one JSON object with time, level, text and fields', async () => {
    const logger = await createLogger(config(), { destination });
    logger.info({ context: 'QueueService', notification_id: 'n1' }, 'line one\nline two');
    expect(written.trimEnd()).not.toContain('\n');
    expect(lines()).toEqual([
      {
        level: 'info',
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) as unknown,
        pid: process.pid,
        context: 'QueueService',
        notification_id: 'n1',
        msg: 'line one\nline two',
      },
    ]);
  });

  it('carries the id of the active trace, when there is one', async () => {
    let active: string | undefined = 'abc';
    const logger = await createLogger(config(), { activeTraceId: () => active, destination });
    logger.info('inside');
    active = undefined;
    logger.info('outside');
    expect(lines().map((line) => line['trace_id'])).toEqual(['abc', undefined]);
  });

  it('is written from the configured level on', async () => {
    const logger = await createLogger(config({ logLevel: 'warn' }), { destination });
    logger.info('no');
    logger.warn('yes');
    expect(lines().map((line) => line['msg'])).toEqual(['yes']);
  });

  it('is not written at info for what the framework tells of its own parts', async () => {
    const chatter = [{ context: 'RouterExplorer' }, 'Mapped {/metrics, GET} route'] as const;
    (await createLogger(config({ logLevel: 'info' }), { destination })).info(...chatter);
    expect(written).toBe('');
    (await createLogger(config({ logLevel: 'debug' }), { destination })).info(...chatter);
    expect(lines()).toMatchObject([{ level: 'debug', msg: chatter[1] }]);
  });

  it('is text for people in the pretty form', async () => {
    const logger = await createLogger(config({ logFormat: 'pretty' }), { destination });
    logger.warn({ context: 'Queue', backend: 'redis' }, `not durable ?token=${SECRET}`);
    expect(written).toMatch(/^\[\d\d:\d\d:\d\d\.\d{3}\] .*WARN.*: .*Queue: not durable \?token=\[redacted\]/);
    expect(written).toContain('backend');
    expect(written).not.toContain(SECRET);
  });
});

describe('secrets', () => {
  const error = Object.assign(new Error(`connect redis://:${SECRET}@host:6379 failed`), {
    code: 'ECONNREFUSED',
    command: { name: 'set', args: ['k', SECRET] },
    detail: SECRET,
    parameters: [SECRET],
    cause: Object.assign(new Error(`Bearer ${SECRET}`), { config: { password: SECRET } }),
  });
  const parseError = (() => {
    try {
      return JSON.parse(`{"k": ${SECRET}}`) as unknown;
    } catch (thrown) {
      return thrown;
    }
  })();

  it.each([
    ['fields', { token: SECRET, authorization: SECRET, 'x-api-key': SECRET, payload: { deep: SECRET }, body: SECRET }],
    ['fields one level down', { client: { password: SECRET, cookie: SECRET, headers: { 'x-api-key': SECRET } } }],
    ['an address', { url: `/ws?token=${SECRET}` }],
    ['an error', { err: error }],
    ['an error as such', error],
    ['what JSON.parse quotes', { err: parseError }],
    ['errors of an AggregateError', { err: new AggregateError([error, parseError]) }],
    ['running text', { msg: `GET /sse?channels=a&token=${SECRET} by ${JWT} at postgres://u:${SECRET}@h/d` }],
  ])('do not appear: %s', async (_, logged) => {
    const logger = await createLogger(config(), { destination });
    logger.error(logged);
    logger.trace(logged);
    expect(lines()).toHaveLength(2);
    expect(written).not.toContain(SECRET);
  });

  it('leave of an error what helps', async () => {
    const logger = await createLogger(config(), { destination });
    logger.error({ err: error }, 'Redis is away');
    expect(lines()[0]).toMatchObject({
      msg: 'Redis is away',
      err: {
        type: 'Error',
        code: 'ECONNREFUSED',
        message: 'connect redis://[redacted]@host:6379 failed',
        stack: expect.stringContaining('logging.spec') as unknown,
        cause: { type: 'Error', message: 'Bearer [redacted]' },
      },
    });
  });
});

describe('requests', () => {
  let server: Server;

  async function request(path: string): Promise<void> {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const done = new Promise<void>((resolve, reject) => {
      get({ port, path, host: '127.0.0.1', agent: false }, (response) => response.resume().once('close', resolve)).once(
        'error',
        reject,
      );
    });
    await done;
    server.close();
    await once(server, 'close');
  }

  beforeEach(() => {
    server = createServer((request, response) => {
      request.id = 'r1';
      response.writeHead(201).end('ok');
    });
  });

  it('are one line each at debug, with the path without its query', async () => {
    logRequests(server, await createLogger(config({ logLevel: 'debug' }), { destination }));
    await request(`/sse?token=${SECRET}`);
    expect(lines()).toEqual([
      expect.objectContaining({
        level: 'debug',
        msg: 'request',
        method: 'GET',
        path: '/sse',
        status: 201,
        duration_ms: expect.any(Number) as unknown,
        request_id: 'r1',
      }),
    ]);
  });

  it('cost nothing at info', async () => {
    const listeners = server.listenerCount('request');
    logRequests(server, await createLogger(config({ logLevel: 'info' }), { destination }));
    expect(server.listenerCount('request')).toBe(listeners);
    await request('/');
    expect(written).toBe('');
  });
});
