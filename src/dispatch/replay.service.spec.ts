import { Logger } from '@nestjs/common';
import { Engine, type Made, tenant, user } from '../../test/support/engine';
import { FakeSink } from '../../test/support/fake-sink';
import { FaultyQueueStore } from '../../test/support/faulty-queue-store';
import { until } from '../../test/support/until';
import { DEFAULT_TENANT, type NotificationId } from '../notification/ids';
import type { Notification } from '../notification/notification';
import { toRawJson } from '../protocol/raw-json';
import { CLOSE } from '../protocol/close-reason';

const QUEUE = { QUEUE_ENABLED: 'true', QUEUE_MAX_SIZE_PER_USER: '1000' };

let store: FaultyQueueStore;
let engine: Engine;
let warn: jest.SpyInstance;

function start(env: Record<string, string> = QUEUE): void {
  store = new FaultyQueueStore();
  engine = new Engine({ env, queueStore: store });
}

beforeEach(() => {
  warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
  start();
});

afterEach(() => {
  jest.restoreAllMocks();
  jest.useRealTimers();
});

async function send(traits: Partial<Notification> = {}, name = 'alice'): Promise<NotificationId> {
  const delivery = engine.delivery({ kind: 'user', user: user(name) }, { notification: engine.notification(traits) });
  await engine.dispatcher.dispatch(delivery);
  return delivery.notification.id;
}

/** As if another node had stored it and died before it sent it. */
async function leave(name = 'alice', traits: Partial<Notification> = {}): Promise<NotificationId> {
  const notification = engine.notification(traits);
  const { frame } = await new Engine().intake.take(engine.delivery({ kind: 'broadcast' }, { notification }));
  await engine.queue.keep({
    tenant: DEFAULT_TENANT,
    users: [user(name)],
    notification,
    json: frame.json,
    isPresent: () => false,
    dedupeKey: undefined,
  });
  return notification.id;
}

describe('the replay of a connection that opens', () => {
  it('gives everything that is kept, oldest first, byte for byte as it would have come live', async () => {
    const ids = [await send(), await send({ priority: 'Critical' }), await send({ payload: toRawJson('ü') })];
    const entries = await store.readAfter({ tenant: DEFAULT_TENANT, user: user('alice') }, undefined, 9, 0);
    const connection = await engine.open();
    await engine.settle();
    expect(connection.sink.ids).toEqual(ids);
    expect(connection.sink.texts).toEqual(entries.map(({ json }) => json));
    expect(engine.queueMetrics.replayed.value).toBe(3);
    expect(await engine.stored('alice')).toEqual([]);
  });

  it('gives the user’s own only, and of this tenant only', async () => {
    await send();
    const bob = await engine.open({ user: user('bob') });
    const foreign = await engine.open({ tenant: tenant('t') });
    await engine.settle();
    expect([...bob.sink.writes, ...foreign.sink.writes]).toEqual([]);
  });

  it('leaves out what has expired', async () => {
    await send({ ttlSeconds: 1 });
    const id = await send({ ttlSeconds: 2 });
    engine.clock.advance(1000);
    const connection = await engine.open();
    await engine.settle();
    expect(connection.sink.ids).toEqual([id]);
  });

  it('goes through all pages, to SSE streams, too', async () => {
    const ids = [];
    for (let i = 0; i < 250; i++) ids.push(await send());
    const connection = await engine.open({}, new FakeSink('sse'));
    await engine.settle();
    expect(connection.sink.ids).toEqual(ids);
  });

  it('goes before what comes meanwhile, which comes only once', async () => {
    const stored = [await send(), await send()];
    const connection = engine.connection();
    engine.replay.begin(connection);
    engine.registry.register(connection);
    expect(connection.sink.isPaused).toBe(true);
    const live = await send();
    const broadcast = (await engine.dispatcher.dispatch(engine.delivery({ kind: 'broadcast' }))).id;
    await engine.replay.run(connection);
    await engine.settle();
    expect(connection.sink.ids).toEqual([...stored, live, broadcast]);
    expect(connection.sink.isPaused).toBe(false);
    expect(await engine.stored('alice')).toEqual([]);
  });

  it('opens the gate only when a page came back empty: what is stored while it runs is in it', async () => {
    const first = await send();
    const connection = engine.connection();
    engine.replay.begin(connection);
    engine.registry.register(connection);
    let second: NotificationId | undefined;
    const readAfter = store.readAfter.bind(store);
    jest.spyOn(store, 'readAfter').mockImplementation(async (...args) => {
      const page = await readAfter(...args);
      expect(connection.isReplaying).toBe(true);
      second ??= await leave();
      return page;
    });
    await engine.replay.run(connection);
    await engine.settle();
    expect(connection.sink.ids).toEqual([first, second]);
  });

  it('waits for a slow reader instead of piling all up, and is not held up by what waits behind it', async () => {
    const big = { payload: toRawJson('x'.repeat(50_000)) };
    const ids = [];
    for (let i = 0; i < 40; i++) ids.push(await send(big));
    const connection = engine.connection({}, new FakeSink('websocket', 0));
    engine.replay.begin(connection);
    engine.registry.register(connection);
    const held = [];
    for (let i = 0; i < 12; i++)
      held.push(
        (
          await engine.dispatcher.dispatch(
            engine.delivery({ kind: 'broadcast' }, { notification: engine.notification(big) }),
          )
        ).id,
      );
    const run = engine.replay.run(connection);
    let most = 0;
    await until('everything is taken', () => {
      most = Math.max(most, connection.unwrittenBytes);
      connection.sink.take(100_000);
      connection.sink.runCallbacks();
      return connection.sink.ids.length >= 40;
    });
    await run;
    connection.sink.take(10_000_000);
    await engine.settle();
    expect(most).toBeLessThan(400_000);
    expect(connection.isOpen).toBe(true);
    expect(connection.sink.ids.slice(0, 40)).toEqual(ids);
    const rest = connection.sink.ids.slice(40);
    expect(rest.length + engine.statistics.totals.failed).toBe(held.length);
    expect(held.slice(0, rest.length)).toEqual(rest);
  });

  it('ends with its reader', async () => {
    for (let i = 0; i < 10; i++) await send({ payload: toRawJson('x'.repeat(50_000)) });
    const connection = engine.connection({}, new FakeSink('websocket', 0));
    engine.replay.begin(connection);
    engine.registry.register(connection);
    const run = engine.replay.run(connection);
    await engine.settle();
    connection.markClosed();
    await run;
    expect(await engine.stored('alice')).toHaveLength(10);
  });

  it('opens the gate also when the store is away; what it withheld follows', async () => {
    const stored = await send();
    store.isDown = true;
    const connection = await engine.open();
    expect(warn).toHaveBeenCalledWith(
      expect.objectContaining({ msg: 'Could not replay the queue', connection_id: connection.identity.id }),
    );
    expect(connection.isReplaying).toBe(false);
    store.isDown = false;
    await recover();
    expect(connection.sink.ids).toEqual([stored]);
  });

  it('warns of a store that is away once a minute, however many connections open', async () => {
    store.isDown = true;
    for (let i = 0; i < 5; i++) await engine.open();
    expect(warn).toHaveBeenCalledTimes(1);
    engine.clock.advance(60_000);
    await engine.open();
    expect(warn).toHaveBeenCalledTimes(2);
    expect(warn).toHaveBeenLastCalledWith(expect.objectContaining({ suppressed: 4 }));
  });

  it('expects an acknowledgement of what it gives to a WebSocket', async () => {
    start({ ...QUEUE, ACK_ENABLED: 'true' });
    const id = await send();
    await engine.open();
    await engine.settle();
    expect(await engine.stored('alice')).toEqual([id]);
    expect(await engine.acknowledgements.acknowledge(DEFAULT_TENANT, user('alice'), id)).toBe('acked');
    expect(await engine.stored('alice')).toEqual([]);
  });

  it('settles what it gives to an SSE stream while no WebSocket of the user is open', async () => {
    start({ ...QUEUE, ACK_ENABLED: 'true' });
    await send();
    await engine.open({}, new FakeSink('sse'));
    await engine.settle();
    expect(await engine.stored('alice')).toEqual([]);
    const socket = engine.connect();
    const id = await send();
    await engine.open({}, new FakeSink('sse'));
    await engine.settle();
    expect(await engine.stored('alice')).toEqual([id]);
    expect(socket.sink.ids).toEqual([id]);
  });

  it('neither holds nor reads anything while the queue is off', async () => {
    start({});
    const read = jest.spyOn(store, 'readAfter');
    const connection = await engine.open();
    expect(connection.sink.isPaused).toBe(false);
    expect(connection.isReplaying).toBe(false);
    expect(read).not.toHaveBeenCalled();
  });
});

/** Lets the timer of the recovery fire once, and its work end. */
async function recover(): Promise<void> {
  jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] });
  engine.replay.onModuleInit();
  jest.advanceTimersByTime(4000);
  await engine.replay.onModuleDestroy();
  jest.useRealTimers();
  await engine.settle();
}

describe('recovery', () => {
  it('gives open connections what they were not sent, within 5 s, to each device once', async () => {
    const devices = [engine.connect(), engine.connect({}, { sink: new FakeSink('sse') })];
    const bob = engine.connect({ user: user('bob') });
    const sent = await send();
    const left = [await leave(), await leave()];
    await recover();
    for (const device of devices) expect(device.sink.ids).toEqual([sent, ...left]);
    expect(bob.sink.ids).toEqual([]);
    expect(await engine.stored('alice')).toEqual([]);
    await recover();
    expect(devices.map(({ sink }) => sink.ids.length)).toEqual([3, 3]);
  });

  it('does not repeat what waits for its acknowledgement, or in a backlog', async () => {
    start({ ...QUEUE, ACK_ENABLED: 'true' });
    const [quick, stalled] = [engine.connect(), engine.connect({}, { sink: new FakeSink('websocket', 0) })];
    const id = await send();
    await recover();
    await recover();
    stalled.sink.take(1_000_000);
    await engine.settle();
    expect([quick, stalled].map(({ sink }) => sink.ids)).toEqual([[id], [id]]);
    expect(engine.queueMetrics.replayed.value).toBe(0);
  });

  it('takes out what a store that had answered too late took in after it was delivered', async () => {
    const devices = [engine.connect(), engine.connect()];
    store.isDown = true;
    const id = await send();
    store.isDown = false;
    await recover();
    await leave('alice', { id });
    const latecomer = engine.connect();
    await recover();
    expect(await engine.stored('alice')).toEqual([]);
    engine.clock.advance(31_000);
    await recover();
    for (const device of devices) expect(device.sink.ids).toEqual([id]);
    expect(latecomer.sink.ids).toEqual([]);
  });

  it('leaves out connections that are being replayed or closed', async () => {
    const replaying = engine.connect();
    replaying.closeGate();
    const closed = engine.connect();
    closed.close(CLOSE.stale);
    await leave();
    await recover();
    replaying.openGate();
    await engine.settle();
    expect([replaying, closed].map(({ sink }: Made) => sink.ids)).toEqual([[], []]);
    expect(engine.queueMetrics.replayed.value).toBe(0);
  });

  it('goes through all pages of a user', async () => {
    const connection = engine.connect({}, { sink: new FakeSink('websocket', 0) });
    const ids = [];
    for (let i = 0; i < 230; i++) ids.push(await leave());
    await recover();
    connection.sink.take(1_000_000);
    await engine.settle();
    expect(connection.sink.ids).toEqual(ids);
  });

  it('repeats commits that failed before it looks, and goes on after a round that failed', async () => {
    jest.spyOn(Logger.prototype, 'debug').mockImplementation(() => undefined);
    const connection = engine.connect();
    const id = await send();
    store.isDown = true;
    await engine.settle();
    await recover();
    const msg = expect.stringContaining('Could not look for undelivered entries') as unknown;
    expect(warn).toHaveBeenCalledWith({ msg });
    store.isDown = false;
    expect(await engine.stored('alice')).toEqual([id]);
    await recover();
    expect(await engine.stored('alice')).toEqual([]);
    expect(connection.sink.ids).toEqual([id]);
  });

  it('makes connections forget ids that no store holds any more', async () => {
    start({ ...QUEUE, ACK_ENABLED: 'true', QUEUE_MESSAGE_TTL_SECONDS: '60' });
    const connection = engine.connect();
    const id = await send();
    engine.clock.advance(59_999);
    await recover();
    expect(connection.wasGiven(id)).toBe(true);
    engine.clock.advance(1);
    await recover();
    expect(connection.wasGiven(id)).toBe(false);
  });

  it('does not begin while the queue is off', async () => {
    start({});
    const readMany = jest.spyOn(store, 'readMany');
    engine.connect();
    await recover();
    expect(readMany).not.toHaveBeenCalled();
  });
});
