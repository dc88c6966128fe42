import { Engine, type Made } from '../../test/support/engine';
import { FakeSink } from '../../test/support/fake-sink';
import { PROBE_TENANT } from '../notification/ids';
import { CLOSE } from '../protocol/close-reason';
import { HeartbeatService } from './heartbeat.service';

let engine: Engine;
let heartbeat: HeartbeatService;

beforeEach(() => {
  jest.useFakeTimers({ doNotFake: ['queueMicrotask', 'nextTick', 'performance'] });
  engine = new Engine({
    env: {
      WEBSOCKET_HEARTBEAT_INTERVAL: '30',
      WEBSOCKET_CONNECTION_TIMEOUT: '120',
      WEBSOCKET_CLEANUP_INTERVAL: '60',
    },
  });
  heartbeat = engine.get(HeartbeatService);
  heartbeat.onModuleInit();
});

afterEach(() => {
  heartbeat.onModuleDestroy();
  jest.useRealTimers();
});

async function pass(seconds: number): Promise<void> {
  for (let passed = 0; passed < seconds * 10; passed++) {
    engine.clock.advance(100);
    await jest.advanceTimersByTimeAsync(100);
  }
}

function connect(sink = new FakeSink(), traits: Parameters<Engine['connect']>[0] = {}): Made {
  const connection = engine.connect(traits, { sink });
  heartbeat.add(connection);
  return connection;
}

it('sends each connection a heartbeat and a protocol ping per interval', async () => {
  const [socket, stream] = [connect(), connect(new FakeSink('sse'))];
  await pass(30);
  expect(socket.sink.texts).toEqual(['{"type":"heartbeat"}']);
  expect(stream.sink.takenBytes.toString()).toContain('event: heartbeat\ndata: {"type":"heartbeat"}\n\n');
  await pass(60);
  expect([socket.sink.texts.length, socket.sink.pings, stream.sink.texts.length]).toEqual([3, 3, 3]);
});

it('spreads the beats over the interval', async () => {
  const connections = Array.from({ length: 300 }, () => connect());
  await pass(15);
  const beaten = connections.filter(({ sink }) => sink.pings > 0).length;
  expect(Math.abs(beaten - 150)).toBeLessThan(10);
});

it('leaves alone who is gone or about to be: nothing may follow a close frame', async () => {
  const [gone, closing] = [connect(), connect()];
  heartbeat.delete(gone);
  closing.close(CLOSE.shutdown);
  await pass(30);
  expect([gone, closing].map(({ sink }) => [sink.pings, sink.writes.length])).toEqual([
    [0, 0],
    [0, 0],
  ]);
});

it('closes with 1001 who was silent for longer than the limit, and counts it once', async () => {
  const [silent, alive] = [connect(), connect()];
  for (let minute = 0; minute < 3; minute++) {
    alive.lastActivity = engine.clock.now();
    expect(silent.isOpen).toBe(true);
    await pass(60);
  }
  expect(silent.sink.closes.map(({ reason }) => reason)).toEqual([CLOSE.stale]);
  await pass(60);
  expect(alive.isOpen).toBe(true);
  expect(await engine.metrics.render()).toContain('\nara_heartbeat_timeouts_total 1\n');
});

it('takes an SSE stream for alive as long as its kernel takes bytes', async () => {
  const [reading, stuck] = [connect(new FakeSink('sse')), connect(new FakeSink('sse', 0))];
  await pass(300);
  expect([reading.isOpen, stuck.isOpen]).toEqual([true, false]);
});

it('never closes the self-probe', async () => {
  const probe = connect(new FakeSink(), { tenant: PROBE_TENANT, isProbe: true });
  await pass(300);
  expect(probe.isOpen).toBe(true);
});

it('measures its slices, and stops with the service', async () => {
  const connection = connect();
  await pass(30);
  expect(await engine.metrics.render()).toContain('\nara_heartbeat_duration_ms_count 1\n');
  heartbeat.onModuleDestroy();
  await pass(300);
  expect(connection.sink.pings).toBe(1);
  expect(connection.isOpen).toBe(true);
});
