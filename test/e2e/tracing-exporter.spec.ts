import type { TelemetryConfig } from '../../src/config/ara-config';
import { startTracing, type Tracing } from '../../src/telemetry/tracing';
import type { Tracer } from '../../src/telemetry/tracer';
import { OtlpReceiver } from '../support/otlp-receiver';

const REMOTE_TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const REMOTE_SPAN = '00f067aa0ba902b7';
const REMOTE = `00-${REMOTE_TRACE}-${REMOTE_SPAN}-01`;

let receiver: OtlpReceiver;
let tracing: Tracing;
let tracer: Tracer;
let problems: string[];

async function start(changes: Partial<TelemetryConfig> = {}): Promise<void> {
  const config = {
    otelEnabled: true,
    otelEndpoint: receiver.endpoint,
    otelServiceName: 'ara-test',
    otelSamplingRatio: 1,
    ...changes,
  } as TelemetryConfig;
  tracing = await startTracing(config, '9.8.7', (problem) => problems.push(problem));
  tracer = tracing.tracer;
}

beforeEach(async () => {
  problems = [];
  receiver = await OtlpReceiver.start();
});

afterEach(async () => {
  await tracing.shutdown();
  receiver.stop();
});

it('exports a tree of spans with attributes, service name and version', async () => {
  await start();
  await tracer.trace('http.send_notification', async (http) => {
    http.set('target_user_id', 'u1').set('batch_size', 3).set('deduplicate', true);
    await Promise.resolve();
    // Found as the span that this code runs within, also after an await.
    tracer.start('dispatcher.dispatch').end();
    expect(tracer.activeTraceId()).toMatch(/^[0-9a-f]{32}$/);
  });
  expect(tracer.activeTraceId()).toBeUndefined();
  await tracing.shutdown();

  expect(receiver.spans).toHaveLength(2);
  const [http] = receiver.named('http.send_notification');
  const [dispatch] = receiver.named('dispatcher.dispatch');
  expect(http).toMatchObject({
    parentId: '',
    kind: 2,
    failed: false,
    attributes: { target_user_id: 'u1', batch_size: 3, deduplicate: true },
  });
  expect(dispatch).toMatchObject({ parentId: http!.spanId, traceId: http!.traceId, kind: 1, attributes: {} });
  expect(http!.resource).toEqual({ 'service.name': 'ara-test', 'service.version': '9.8.7' });
});

it('continues the trace of a caller, and hands its own on', async () => {
  await start();
  const span = tracer.start('http.broadcast', REMOTE);
  const handedOn = span.traceparent!;
  span.end();
  tracer.start('ws.ack', handedOn).end();
  await tracing.shutdown();

  const [broadcast] = receiver.named('http.broadcast');
  expect(broadcast).toMatchObject({ traceId: REMOTE_TRACE, parentId: REMOTE_SPAN });
  expect(handedOn).toBe(`00-${REMOTE_TRACE}-${broadcast!.spanId}-01`);
  expect(receiver.named('ws.ack')[0]).toMatchObject({ traceId: REMOTE_TRACE, parentId: broadcast!.spanId });
});

it('starts a trace of its own when the caller sends nonsense', async () => {
  await start();
  tracer.start('http.broadcast', 'nonsense').end();
  await tracing.shutdown();
  expect(receiver.spans).toHaveLength(1);
  expect(receiver.spans[0]!.parentId).toBe('');
});

it('takes a parent that is handed over, and links to a span elsewhere', async () => {
  await start();
  const connection = tracer.start('ws.connection');
  const message = tracer.start('ws.message', connection, REMOTE);
  message.end();
  connection.end();
  await tracing.shutdown();
  expect(receiver.named('ws.message')[0]).toMatchObject({
    parentId: receiver.named('ws.connection')[0]!.spanId,
    links: [`${REMOTE_TRACE}-${REMOTE_SPAN}`],
  });
});

it('keeps work that runs at the same time apart', async () => {
  await start();
  await Promise.all(
    ['http.send_notification', 'http.broadcast'].map((name) =>
      tracer.trace(name as 'http.broadcast', async () => {
        await new Promise(setImmediate);
        tracer.start('dispatcher.dispatch').set('event_type', name).end();
      }),
    ),
  );
  await tracing.shutdown();
  for (const dispatch of receiver.named('dispatcher.dispatch')) {
    const [parent] = receiver.named(String(dispatch.attributes['event_type']));
    expect(dispatch.parentId).toBe(parent!.spanId);
  }
});

it('marks failed work, without what the error says', async () => {
  await start();
  expect(() =>
    tracer.trace('http.list_tenants', () => {
      throw new TypeError('canary-4711');
    }),
  ).toThrow('canary-4711');
  await expect(
    tracer.trace('http.get_template', () => Promise.reject(new RangeError('canary-4711'))),
  ).rejects.toThrow();
  await tracing.shutdown();
  expect(receiver.named('http.list_tenants')[0]).toMatchObject({
    failed: true,
    attributes: { 'error.type': 'TypeError' },
  });
  expect(receiver.named('http.get_template')[0]).toMatchObject({
    failed: true,
    attributes: { 'error.type': 'RangeError' },
  });
  expect(JSON.stringify(receiver.spans)).not.toContain('canary-4711');
});

it.each([
  [0, 0, 0],
  [-1, 0, 0],
  [0.25, 150, 350],
  [1, 1000, 1000],
  [2, 1000, 1000],
])('samples a ratio of %d of the traces', async (otelSamplingRatio, least, most) => {
  await start({ otelSamplingRatio });
  for (let i = 0; i < 1000; i++) {
    const root = tracer.start('http.broadcast');
    tracer.start('dispatcher.dispatch', root).end();
    root.end();
  }
  await tracing.shutdown();
  const roots = receiver.named('http.broadcast');
  expect(roots.length).toBeGreaterThanOrEqual(least);
  expect(roots.length).toBeLessThanOrEqual(most);
  // A trace is there as a whole or not at all.
  expect(
    receiver
      .named('dispatcher.dispatch')
      .map(({ traceId }) => traceId)
      .sort(),
  ).toEqual(roots.map(({ traceId }) => traceId).sort());
});

it('ends in bounded time when the collector does not answer', async () => {
  await start();
  receiver.hangs = true;
  tracer.start('http.broadcast').end();
  const startedAt = Date.now();
  await tracing.shutdown();
  expect(Date.now() - startedAt).toBeLessThan(4500);
});

it('serves on without a collector and says what is wrong', async () => {
  await start({ otelEndpoint: 'http://127.0.0.1:1' });
  tracer.start('http.broadcast').end();
  await tracing.shutdown();
  expect(problems.join()).toContain('ECONNREFUSED');
});

it('can be started again after a shutdown', async () => {
  await start();
  await tracing.shutdown();
  await start();
  tracer.start('http.broadcast').end();
  await tracing.shutdown();
  expect(receiver.spans).toHaveLength(1);
});
