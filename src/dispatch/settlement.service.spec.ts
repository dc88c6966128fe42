import { Logger } from '@nestjs/common';
import { Engine, type Made, user } from '../../test/support/engine';
import { FakeSink } from '../../test/support/fake-sink';
import { FaultyQueueStore } from '../../test/support/faulty-queue-store';
import { LocalSessionDirectory } from '../cluster/session-directory';
import { DEFAULT_TENANT, type NotificationId, type UserId } from '../notification/ids';
import type { Target } from '../notification/target';
import { CLOSE } from '../protocol/close-reason';

const ALICE: Target = { kind: 'user', user: user('alice') };
const QUEUE = { QUEUE_ENABLED: 'true' };
const QUEUE_AND_ACK = { ...QUEUE, ACK_ENABLED: 'true', ACK_TIMEOUT_SECONDS: '30' };

let store: FaultyQueueStore;
let engine: Engine;

function start(env: Record<string, string>): void {
  store = new FaultyQueueStore();
  engine = new Engine({ env, queueStore: store });
}

afterEach(() => jest.restoreAllMocks());

async function dispatch(target: Target = ALICE): Promise<NotificationId> {
  return (await engine.dispatcher.dispatch(engine.delivery(target))).id;
}

function acknowledge(id: NotificationId, name = 'alice'): Promise<string> {
  return engine.acknowledgements.acknowledge(DEFAULT_TENANT, user(name), id);
}

const stalled = (): { sink: FakeSink } => ({ sink: new FakeSink('websocket', 0) });
const sse = (): { sink: FakeSink } => ({ sink: new FakeSink('sse') });

/** The network broke: nobody takes what was written. */
async function breakOff({ sink }: Made): Promise<void> {
  sink.die();
  await engine.settle();
}

describe('without acknowledgements', () => {
  beforeEach(() => {
    start(QUEUE);
  });

  it('an entry leaves the store when the kernel took its bytes, and not before', async () => {
    const connection = engine.connect({}, stalled());
    const id = await dispatch();
    await engine.settle();
    expect(connection.sink.writes).toHaveLength(1);
    expect(await engine.stored('alice')).toEqual([id]);
    connection.sink.take(1_000_000);
    await engine.settle();
    expect(await engine.stored('alice')).toEqual([]);
  });

  it('one device that took it is enough', async () => {
    engine.connect({}, stalled());
    engine.connect();
    await dispatch();
    await engine.settle();
    expect(await engine.stored('alice')).toEqual([]);
  });

  it('an SSE stream that took it is enough', async () => {
    engine.connect({}, sse());
    await dispatch();
    await engine.settle();
    expect(await engine.stored('alice')).toEqual([]);
  });

  it('an entry stays when the connection broke before its kernel took it, and reaches the next one with its id', async () => {
    const broken = engine.connect({}, stalled());
    const id = await dispatch();
    await engine.settle();
    await breakOff(broken);
    expect(await engine.stored('alice')).toEqual([id]);
    const next = await engine.open();
    await engine.settle();
    expect(next.sink.ids).toEqual([id]);
    expect(await engine.stored('alice')).toEqual([]);
  });

  it('an entry in the backlog of a slow reader that is cut off stays', async () => {
    const slow = engine.connect({}, stalled());
    const [first, second] = [await dispatch(), await (engine.flusher.flushAll(), dispatch())];
    slow.close(CLOSE.slowConsumer);
    await breakOff(slow);
    expect(await engine.stored('alice')).toEqual([first, second]);
  });

  it('an acknowledgement is not answered', async () => {
    engine.connect({}, stalled());
    expect(await acknowledge(await dispatch())).toBe('unanswered');
  });

  it('the connection forgets the id soon after, not before a reader of the store may still bring it up', async () => {
    const connection = engine.connect();
    const id = await dispatch();
    await engine.settle();
    engine.clock.advance(29_999);
    connection.pruneSent(engine.clock.now());
    expect(connection.wasGiven(id)).toBe(true);
    engine.clock.advance(1);
    connection.pruneSent(engine.clock.now());
    expect(connection.wasGiven(id)).toBe(false);
  });

  it('a commit that failed is tried again, and the connection is not given it meanwhile', async () => {
    const debug = jest.spyOn(Logger.prototype, 'debug').mockImplementation(() => undefined);
    const connection = engine.connect();
    const id = await dispatch();
    store.isDown = true;
    await engine.settle();
    expect(debug).toHaveBeenCalledWith(expect.stringContaining('connection refused'));
    await engine.settlement.retryFailed();
    store.isDown = false;
    expect(await engine.stored('alice')).toEqual([id]);
    expect(connection.wasGiven(id)).toBe(true);
    await engine.settlement.retryFailed();
    expect(await engine.stored('alice')).toEqual([]);
  });
});

describe('with acknowledgements', () => {
  beforeEach(() => {
    start(QUEUE_AND_ACK);
  });

  it('an entry that a WebSocket took stays until its user acknowledged it', async () => {
    engine.connect();
    const id = await dispatch();
    await engine.settle();
    expect(await engine.stored('alice')).toEqual([id]);
    expect(await acknowledge(id)).toBe('acked');
    expect(await engine.stored('alice')).toEqual([]);
    expect(await acknowledge(id)).toBe('invalid');
  });

  it('another user’s acknowledgement is invalid and changes nothing', async () => {
    engine.connect();
    engine.connect({ user: user('bob') });
    const id = await dispatch();
    expect(await acknowledge(id, 'bob')).toBe('invalid');
    await engine.settle();
    expect(await engine.stored('alice')).toEqual([id]);
    expect(await acknowledge(id)).toBe('acked');
  });

  it('a late acknowledgement is invalid, but takes the entry out', async () => {
    engine.connect();
    const id = await dispatch();
    engine.clock.advance(30_000);
    expect(await acknowledge(id)).toBe('invalid');
    expect(await engine.stored('alice')).toEqual([]);
    expect(engine.ack.figures).toMatchObject({ tracked: 1, acked: 0, expired: 1 });
  });

  it('so does one that comes after a sweep forgot what was expected', async () => {
    engine.connect();
    const id = await dispatch();
    engine.clock.advance(30_000);
    await engine.ack.sweep();
    expect(await acknowledge(id)).toBe('invalid');
    expect(await engine.stored('alice')).toEqual([]);
  });

  it('an entry that only SSE streams took is settled by that, and nothing is expected', async () => {
    engine.connect({}, sse());
    const id = await dispatch();
    await engine.settle();
    expect(await engine.stored('alice')).toEqual([]);
    expect(engine.ack.figures.tracked).toBe(0);
    expect(await acknowledge(id)).toBe('invalid');
  });

  it('an SSE stream does not settle what a WebSocket of the user may acknowledge', async () => {
    const [stream, socket] = [engine.connect({}, sse()), engine.connect({}, stalled())];
    const id = await dispatch();
    await engine.settle();
    expect(stream.sink.ids).toEqual([id]);
    expect(socket.sink.ids).toEqual([]);
    expect(await engine.stored('alice')).toEqual([id]);
    expect(await acknowledge(id)).toBe('acked');
    expect(await engine.stored('alice')).toEqual([]);
  });

  it.each([
    ['nobody', new Set<UserId>(), []],
    ['a WebSocket', new Set([user('alice')]), ['kept']],
  ])(
    'while the directory cannot be asked, what a stream took waits; then it finds %s elsewhere',
    async (_, there, left) => {
      const directory = new LocalSessionDirectory();
      const asked = jest.spyOn(directory, 'presentElsewhere').mockRejectedValue(new Error('Redis is away'));
      engine = new Engine({ env: QUEUE_AND_ACK, queueStore: store, directory });
      engine.connect({}, sse());
      const id = await dispatch();
      await engine.settle();
      await engine.settlement.retryFailed();
      expect(await engine.stored('alice')).toEqual([id]);
      asked.mockResolvedValue(there);
      await engine.settlement.retryFailed();
      await engine.settlement.retryFailed();
      expect(await engine.stored('alice')).toEqual(left.map(() => id));
      // Asked by the send, and by each of two rounds; what is decided is asked no more.
      expect(asked).toHaveBeenCalledTimes(3);
    },
  );

  it('a WebSocket that is being closed does not keep an SSE stream from settling', async () => {
    engine.connect().close(CLOSE.stale);
    engine.connect({}, sse());
    await dispatch();
    await engine.settle();
    expect(await engine.stored('alice')).toEqual([]);
    expect(engine.ack.figures.tracked).toBe(0);
  });

  it('expects one acknowledgement per user, whatever the number of devices', async () => {
    engine.connect();
    engine.connect();
    engine.connect({ user: user('bob') });
    await dispatch({ kind: 'users', users: ['alice', 'bob', 'absent'].map(user) });
    expect(engine.ack.figures.tracked).toBe(2);
    expect(engine.ack.pendingInGroups + (await engine.ack.pendingInStore())).toBe(2);
  });

  it('expects them of the members of a broadcast, too, though nothing is stored', async () => {
    engine.connect();
    engine.connect({ user: user('bob') }, sse());
    const id = await dispatch({ kind: 'broadcast' });
    expect(engine.ack.figures.tracked).toBe(1);
    expect(await acknowledge(id)).toBe('acked');
    expect(await acknowledge(id, 'bob')).toBe('invalid');
  });

  it('is given up after QUEUE_MAX_DELIVERIES connections took it without an acknowledgement', async () => {
    start({ ...QUEUE_AND_ACK, QUEUE_MAX_DELIVERIES: '2' });
    const first = engine.connect();
    const id = await dispatch();
    await engine.settle();
    engine.registry.unregister(first);
    expect(await engine.stored('alice')).toEqual([id]);
    const second = await engine.open();
    await engine.settle();
    expect(second.sink.ids).toEqual([id]);
    expect(await engine.stored('alice')).toEqual([]);
    expect(engine.queueMetrics.dropped.value).toBe(1);
  });

  it('does not answer while a store is away, and settles when it is back', async () => {
    jest.spyOn(Logger.prototype, 'debug').mockImplementation(() => undefined);
    engine.connect();
    const id = await dispatch();
    await engine.settle();
    store.isDown = true;
    expect(await acknowledge(id)).toBe('unanswered');
    store.isDown = false;
    await engine.settlement.retryFailed();
    expect(await engine.stored('alice')).toEqual([]);
  });

  it('settles acknowledgements alone while the queue is off', async () => {
    start({ ACK_ENABLED: 'true' });
    const commit = jest.spyOn(store, 'commit');
    engine.connect();
    expect(await acknowledge(await dispatch())).toBe('acked');
    expect(commit).not.toHaveBeenCalled();
  });
});

it('with QUEUE_REDELIVER_UNACKED=false, what was written is settled, acknowledged or not', async () => {
  start({ ...QUEUE_AND_ACK, QUEUE_REDELIVER_UNACKED: 'false' });
  engine.connect();
  const id = await dispatch();
  await engine.settle();
  expect(await engine.stored('alice')).toEqual([]);
  expect(await acknowledge(id)).toBe('acked');
});
