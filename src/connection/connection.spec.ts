import fc from 'fast-check';
import { connectionOf, id, type Made } from '../../test/support/engine';
import { FakeClock } from '../../test/support/fake-clock';
import { FakeSink } from '../../test/support/fake-sink';
import { PRIORITIES, type Priority } from '../notification/priority';
import { CLOSE } from '../protocol/close-reason';
import { Frame } from '../protocol/frame';
import type { Connection, ConnectionMeans } from './connection';
import { Flusher } from './flusher';
import type { Receipt, Taker } from './receipt';
import { SlowReaders } from './slow-readers';

const KIB = 1024;
const MIB = 1024 * KIB;

let flusher: Flusher;
let slowReaders: SlowReaders;
let clock: FakeClock;
let shed: number;

beforeEach(() => {
  flusher = new Flusher();
  clock = new FakeClock();
  slowReaders = new SlowReaders(clock);
  shed = 0;
});

function connect(sink = new FakeSink(), means: Partial<ConnectionMeans> = {}): Made {
  const onShed = (count: number): void => {
    shed += count;
  };
  return connectionOf({ flusher, slowReaders, onShed, sink, ...means });
}

interface Traits {
  readonly priority?: Priority;
  readonly mayBeShed?: boolean;
  readonly size?: number;
}

/** A frame whose JSON text begins with its name. */
function frame(name: string, { priority = 'Normal', mayBeShed = false, size = 0 }: Traits = {}): Frame {
  return new Frame(JSON.stringify(name + '.'.repeat(size)), { event: 'notification', priority, mayBeShed });
}

function namesAt(sink: FakeSink): string[] {
  return sink.texts.map((text) => String(JSON.parse(text)).replace(/\.+$/, ''));
}

class CountingReceipt implements Receipt {
  readonly id;
  readonly expiresAt = Number.MAX_SAFE_INTEGER;
  readonly takers: Taker[] = [];

  constructor(n: number) {
    this.id = id(n);
  }

  taken(connection: Taker): void {
    this.takers.push(connection);
  }
}

/** A connection whose kernel is full: what it is given from now on waits in order of priority. */
function lagging(room = 0): Made {
  const connection = connect(new FakeSink('websocket', room));
  connection.send(frame('plug', { size: 100 }));
  flusher.flushAll();
  expect(connection.sink.bufferedBytes).toBeGreaterThan(0);
  return connection;
}

async function readAll({ sink }: Made): Promise<void> {
  sink.take(Number.POSITIVE_INFINITY);
  while (sink.bufferedBytes > 0) await Promise.resolve();
  await new Promise((resolve) => setImmediate(resolve));
}

describe('a connection whose reader keeps up', () => {
  it('sends what one turn gathered in its order, whatever the priorities', () => {
    const connection = connect();
    for (const priority of [...PRIORITIES].reverse()) connection.send(frame(priority, { priority, mayBeShed: true }));
    flusher.flushAll();
    expect(namesAt(connection.sink)).toEqual(['Low', 'Normal', 'High', 'Critical']);
  });

  it('writes at once what is more than 256 KiB in one turn, so that a stalled reader shows', () => {
    const connection = connect();
    for (let i = 0; i < 5; i++) connection.send(frame(`${i}`, { size: 60 * KIB }));
    expect(namesAt(connection.sink)).toEqual(['0', '1', '2', '3', '4']);
    connection.send(frame('5'));
    flusher.flushAll();
    expect(namesAt(connection.sink)).toHaveLength(6);
    expect(connection.backlogBytes).toBe(0);
  });

  it('asks the socket for word only when a receipt wants it', () => {
    const sink = new FakeSink();
    const write = jest.spyOn(sink, 'write');
    const connection = connect(sink);
    connection.send(frame('plain'));
    flusher.flushAll();
    expect(write.mock.calls[0]?.[1]).toBeUndefined();
  });

  it('knows itself as its identity says', () => {
    const connection = connectionOf({ roles: ['admin'], connectedAt: 5, sink: new FakeSink('sse') });
    expect(connection).toMatchObject({ tenant: 'default', user: 'alice', roles: ['admin'], lastActivity: 5 });
    expect(connection).toMatchObject({ transport: 'sse', isOpen: true, isReplaying: false, backlogBytes: 0 });
  });
});

describe('receipts', () => {
  it('are called once, when the kernel has taken the last byte, and not before', () => {
    const connection = connect(new FakeSink('websocket', 50));
    const receipt = new CountingReceipt(1);
    connection.send(frame('stored', { size: 100 }), receipt);
    flusher.flushAll();
    connection.sink.take(20);
    connection.sink.runCallbacks();
    expect(receipt.takers).toEqual([]);
    connection.sink.take(1000);
    connection.sink.runCallbacks();
    connection.sink.runCallbacks();
    expect(receipt.takers).toEqual([connection]);
  });

  it('are never called for what a broken socket did not take', async () => {
    const connection = connect(new FakeSink('websocket', 10));
    const receipts = [new CountingReceipt(1), new CountingReceipt(2)];
    for (const receipt of receipts) {
      connection.send(frame('stored', { size: 100 }), receipt);
      flusher.flushAll();
    }
    connection.sink.die();
    connection.markClosed();
    await readAll(connection);
    expect(receipts.flatMap(({ takers }) => takers)).toEqual([]);
  });

  it('keep a notification from being given twice, live, replayed or out of a backlog', async () => {
    const connection = lagging();
    const receipt = new CountingReceipt(1);
    expect(connection.wasGiven(receipt.id)).toBe(false);
    expect(connection.send(frame('once'), receipt)).toBe(true);
    expect(connection.wasGiven(receipt.id)).toBe(true);
    expect(connection.send(frame('again'), new CountingReceipt(1))).toBe(true);
    expect(connection.replay(frame('again'), new CountingReceipt(1))).toBe(true);
    await readAll(connection);
    expect(connection.send(frame('again'), receipt)).toBe(true);
    flusher.flushAll();
    expect(namesAt(connection.sink)).toEqual(['plug', 'once']);
    expect(receipt.takers).toHaveLength(1);
  });

  it('are remembered until the entry can be in no store any more', () => {
    const connection = connect();
    const receipt = new CountingReceipt(1);
    connection.send(frame('x'), receipt);
    connection.settled(receipt.id, 1000);
    connection.settled(new CountingReceipt(2).id, 5);
    connection.pruneSent(999);
    expect(connection.wasGiven(receipt.id)).toBe(true);
    expect(connection.wasGiven(id(2))).toBe(false);
    connection.pruneSent(1000);
    expect(connection.wasGiven(receipt.id)).toBe(false);
  });
});

describe('a connection that lags behind', () => {
  it('sends by priority what waits, in order of arrival within one, and heals', async () => {
    const connection = lagging();
    for (const [name, priority] of [
      ['low', 'Low'],
      ['normal 1', 'Normal'],
      ['critical', 'Critical'],
      ['normal 2', 'Normal'],
      ['high', 'High'],
    ] as const)
      expect(connection.send(frame(name, { priority }))).toBe(true);
    await readAll(connection);
    expect(namesAt(connection.sink)).toEqual(['plug', 'critical', 'high', 'normal 1', 'normal 2', 'low']);
    connection.send(frame('low', { priority: 'Low' }));
    connection.send(frame('critical', { priority: 'Critical' }));
    flusher.flushAll();
    expect(namesAt(connection.sink).slice(-2)).toEqual(['low', 'critical']);
  });

  it('writes 64 KiB at a time, so that what comes meanwhile can still go first', async () => {
    const connection = lagging();
    for (let i = 0; i < 4; i++) connection.send(frame(`user ${i}`, { size: 30 * KIB }));
    connection.sink.take(connection.sink.bufferedBytes);
    connection.sink.runCallbacks();
    connection.send(frame('urgent', { priority: 'Critical' }));
    await readAll(connection);
    expect(namesAt(connection.sink)).toEqual(['plug', 'user 0', 'user 1', 'urgent', 'user 2', 'user 3']);
  });

  it('sheds what is for groups beyond 256 KiB: refuses Low and Normal, drops them for what is urgent', () => {
    const connection = lagging();
    for (let i = 0; i < 4; i++)
      expect(connection.send(frame(`${i}`, { priority: 'Low', mayBeShed: true, size: 60 * KIB }))).toBe(true);
    expect(connection.send(frame('low', { priority: 'Low', mayBeShed: true, size: 60 * KIB }))).toBe(false);
    expect(shed).toBe(0);
    expect(connection.send(frame('normal', { priority: 'Normal', mayBeShed: true, size: 60 * KIB }))).toBe(true);
    expect(shed).toBe(1);
    expect(connection.send(frame('user', { priority: 'Low', size: 60 * KIB }))).toBe(true);
    expect(shed).toBe(2);
    expect(connection.backlogBytes).toBeLessThanOrEqual(256 * KIB);
  });

  it('never sheds what is for users', () => {
    const connection = lagging();
    for (let i = 0; i < 10; i++) expect(connection.send(frame(`${i}`, { priority: 'Low', size: 60 * KIB }))).toBe(true);
    expect(connection.backlogBytes).toBeGreaterThan(600 * KIB);
    expect(connection.send(frame('x', { mayBeShed: true }))).toBe(false);
    expect(connection.send(frame('y', { mayBeShed: true, priority: 'High' }))).toBe(true);
    expect(shed).toBe(0);
  });

  it('puts what is replayed ahead of all that waits', async () => {
    const connection = lagging();
    connection.send(frame('high', { priority: 'High' }));
    connection.replay(frame('stored', { priority: 'Critical' }), new CountingReceipt(1));
    await readAll(connection);
    expect(namesAt(connection.sink)).toEqual(['plug', 'stored', 'high']);
  });
});

describe('a reader that is too slow', () => {
  beforeEach(() => {
    jest.useFakeTimers();
    slowReaders.onModuleInit();
  });

  afterEach(() => {
    slowReaders.onModuleDestroy();
    jest.useRealTimers();
  });

  function pass(milliseconds: number): void {
    for (let at = 0; at < milliseconds; at += 500) {
      clock.advance(500);
      jest.advanceTimersByTime(500);
    }
  }

  function fill(connection: Connection, bytes: number): void {
    for (let i = 0; i * 64 * KIB < bytes; i++) connection.send(frame(`${i}`, { size: 64 * KIB }));
  }

  it('is closed at once beyond 8 MiB, with 1013 and without its backlog', () => {
    const connection = lagging();
    fill(connection, 8 * MIB - 64 * KIB);
    expect(connection.isOpen).toBe(true);
    fill(connection, 128 * KIB);
    expect(connection.isOpen).toBe(false);
    expect(connection.sink.closes).toEqual([{ reason: CLOSE.slowConsumer, graceMs: 5000 }]);
    expect(connection.sink.bufferedBytes).toBeLessThan(KIB);
    expect(connection.send(frame('late'))).toBe(false);
  });

  it('is closed after more than 5 s beyond 1 MiB', () => {
    const connection = lagging();
    fill(connection, MIB + 64 * KIB);
    pass(5000);
    expect(connection.isOpen).toBe(true);
    pass(500);
    expect(connection.sink.closes).toEqual([{ reason: CLOSE.slowConsumer, graceMs: 5000 }]);
  });

  it('may lag up to 1 MiB for ever', () => {
    const connection = lagging();
    fill(connection, MIB - 64 * KIB);
    pass(60_000);
    expect(connection.isOpen).toBe(true);
  });

  it('is forgiven when it catches up in time, and counted anew', () => {
    const connection = lagging();
    fill(connection, MIB + 64 * KIB);
    pass(4500);
    while (connection.sink.bufferedBytes > 0) {
      connection.sink.take(256 * KIB);
      connection.sink.runCallbacks();
    }
    pass(10_000);
    expect(connection.isOpen).toBe(true);
    expect(connection.backlogBytes).toBe(0);
  });

  it('is one whose held frames are too many, too', () => {
    const connection = connect();
    connection.closeGate();
    fill(connection, 8 * MIB - 64 * KIB);
    expect(connection.isOpen).toBe(true);
    fill(connection, 128 * KIB);
    expect(connection.sink.closes).toEqual([{ reason: CLOSE.slowConsumer, graceMs: 5000 }]);
  });

  it('is not one whose held frames were written as soon as the gate opened', () => {
    const connection = connect();
    connection.closeGate();
    fill(connection, 2 * MIB);
    pass(3000);
    connection.openGate();
    flusher.flushAll();
    expect(connection.backlogBytes).toBe(0);
    pass(10_000);
    expect(connection.isOpen).toBe(true);
  });

  it('is closed once, also when that shows only while it is being closed for another reason', () => {
    const connection = connect(new FakeSink('websocket', 0));
    connection.closeGate();
    fill(connection, 8 * MIB - 64 * KIB);
    connection.sink.write(Buffer.alloc(256 * KIB));
    connection.close(CLOSE.shutdown);
    expect(connection.sink.closes).toHaveLength(1);
  });

  it('is one that has stopped, too, though shedding keeps its backlog small', () => {
    const connection = lagging();
    const flood = (bytes: number): void => {
      for (let i = 0; i * 60 * KIB < bytes; i++) connection.send(frame('x', { mayBeShed: true, size: 60 * KIB }));
    };
    flood(2 * MIB);
    expect(connection.backlogBytes).toBeLessThanOrEqual(256 * KIB);
    pass(5500);
    expect(connection.isOpen).toBe(false);
  });

  it('is not one that misses much, but reads on', () => {
    const connection = lagging();
    for (let second = 0; second < 20; second++) {
      for (let i = 0; i < 40; i++) connection.send(frame('x', { mayBeShed: true, size: 60 * KIB }));
      connection.sink.take(64 * KIB);
      connection.sink.runCallbacks();
      pass(1000);
    }
    expect(connection.isOpen).toBe(true);
  });

  it('is forgotten when its socket is gone', () => {
    const connection = lagging();
    fill(connection, 2 * MIB);
    connection.markClosed();
    pass(10_000);
    expect(connection.sink.closes).toEqual([]);
  });
});

describe('the gate', () => {
  it('holds live frames behind what is replayed, and pauses the client meanwhile', () => {
    const connection = connect();
    connection.closeGate();
    expect(connection.isReplaying).toBe(true);
    expect(connection.sink.isPaused).toBe(true);
    expect(connection.send(frame('live 1'))).toBe(true);
    connection.replay(frame('stored 1'), new CountingReceipt(1));
    expect(connection.send(frame('live 2'))).toBe(true);
    connection.replay(frame('stored 2'), new CountingReceipt(2));
    flusher.flushAll();
    expect(namesAt(connection.sink)).toEqual(['stored 1', 'stored 2']);
    connection.openGate();
    flusher.flushAll();
    expect(namesAt(connection.sink)).toEqual(['stored 1', 'stored 2', 'live 1', 'live 2']);
    expect(connection.sink.isPaused).toBe(false);
    expect(connection.isReplaying).toBe(false);
  });

  it('drops a held frame whose notification was replayed', () => {
    const connection = connect();
    connection.closeGate();
    const live = new CountingReceipt(1);
    connection.send(frame('live'), live);
    connection.send(frame('other'), new CountingReceipt(2));
    const replayed = new CountingReceipt(1);
    connection.replay(frame('stored'), replayed);
    connection.openGate();
    flusher.flushAll();
    connection.sink.runCallbacks();
    expect(namesAt(connection.sink)).toEqual(['stored', 'other']);
    expect([live.takers.length, replayed.takers.length]).toEqual([0, 1]);
  });

  it('counts what it holds as backlog, but not as what the reader owes', () => {
    const connection = connect();
    connection.closeGate();
    connection.send(frame('held', { size: 1000 }));
    expect(connection.backlogBytes).toBeGreaterThan(1000);
    expect(connection.unwrittenBytes).toBe(0);
  });

  it('reports held frames that the backlog refuses when it opens', () => {
    const connection = lagging();
    connection.closeGate();
    for (let i = 0; i < 6; i++)
      expect(connection.send(frame(`${i}`, { priority: 'Low', mayBeShed: true, size: 60 * KIB }))).toBe(true);
    connection.openGate();
    expect(shed).toBe(2);
  });

  it('may be opened when it never was closed, or after the end', () => {
    const connection = connect();
    connection.openGate();
    expect(connection.sink.isPaused).toBe(false);
    connection.closeGate();
    connection.markClosed();
    connection.openGate();
    expect(connection.sink.isPaused).toBe(true);
  });
});

describe('the end of a connection', () => {
  it('sends what is due before the close', async () => {
    const connection = connect();
    connection.closeGate();
    connection.send(frame('held'));
    connection.replay(frame('stored'), new CountingReceipt(1));
    connection.close(CLOSE.shutdown);
    await readAll(connection);
    expect(namesAt(connection.sink)).toEqual(['stored', 'held']);
    expect(connection.sink.closes).toEqual([{ reason: CLOSE.shutdown, graceMs: 5000 }]);
  });

  it('sends a backlog, too, and settles what was taken of it', async () => {
    const connection = lagging();
    const receipt = new CountingReceipt(1);
    connection.send(frame('low', { priority: 'Low' }));
    connection.send(frame('stored', { priority: 'High' }), receipt);
    connection.close(CLOSE.stale);
    await readAll(connection);
    expect(namesAt(connection.sink)).toEqual(['plug', 'stored', 'low']);
    expect(receipt.takers).toHaveLength(1);
  });

  it('accepts nothing afterwards, and is told only once', async () => {
    const connection = connect();
    connection.close(CLOSE.shutdown);
    connection.close(CLOSE.stale);
    expect(connection.isOpen).toBe(false);
    expect(connection.send(frame('x'))).toBe(false);
    expect(connection.send(frame('x'), new CountingReceipt(1))).toBe(false);
    expect(connection.replay(frame('x'), new CountingReceipt(1))).toBe(false);
    await readAll(connection);
    expect(connection.sink.writes).toEqual([]);
    expect(connection.sink.closes).toHaveLength(1);
  });

  it('writes nothing that was gathered when the socket went away', () => {
    const connection = connect();
    connection.send(frame('x'));
    connection.markClosed();
    flusher.flushAll();
    expect(connection.sink.writes).toEqual([]);
    connection.close(CLOSE.shutdown);
    expect(connection.sink.closes).toEqual([]);
  });
});

/** What is said of a connection in general holds for any order of events and any kernel. */
describe('any connection', () => {
  const step = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constant('send' as const),
        priority: fc.constantFrom(...PRIORITIES),
        target: fc.constantFrom<'user' | 'stored' | 'group'>('user', 'stored', 'group'),
        size: fc.constantFrom(0, 200, 20 * KIB, 60 * KIB),
        /** Stored ones draw from a few ids, so that repeats occur. */
        of: fc.integer({ min: 1, max: 6 }),
        lane: fc.constantFrom<'express' | 'bulk'>('express', 'bulk'),
      }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('replay' as const), of: fc.integer({ min: 1, max: 6 }) }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('take' as const), bytes: fc.nat(80 * KIB) }) },
    { weight: 3, arbitrary: fc.constantFrom({ kind: 'flush' as const }, { kind: 'callbacks' as const }) },
    { weight: 1, arbitrary: fc.constantFrom({ kind: 'closeGate' as const }, { kind: 'openGate' as const }) },
  );

  it('loses nothing but what it shed, gives nothing twice, keeps its order, and settles exactly what was taken', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), fc.nat(2 * KIB), (steps, room) => {
        shed = 0;
        const connection = connect(new FakeSink('websocket', room));
        const { sink } = connection;
        const accepted: { name: string; priority: Priority; isStored: boolean; mayBeShed: boolean }[] = [];
        const receipts = new Map<string, CountingReceipt>();
        const claimed = new Set<number>();
        let serial = 0;
        for (const each of steps) {
          if (each.kind === 'send') {
            const { target, priority, of } = each;
            const isStored = target === 'stored';
            const mayBeShed = target === 'group';
            const name = isStored ? `${++serial} id ${of}` : `${++serial}`;
            const receipt = isStored ? new CountingReceipt(of) : undefined;
            if (receipt !== undefined) receipts.set(name, receipt);
            const took = connection.send(frame(name, { priority, mayBeShed, size: each.size }), receipt, each.lane);
            if (!mayBeShed) expect(took).toBe(true);
            if (isStored) claimed.add(of);
            if (took) accepted.push({ name, priority, isStored, mayBeShed });
          } else if (each.kind === 'replay') {
            const name = `${++serial} id ${each.of}`;
            receipts.set(name, new CountingReceipt(each.of));
            connection.replay(frame(name, { priority: 'Critical' }), receipts.get(name) as CountingReceipt);
            claimed.add(each.of);
            accepted.push({ name, priority: 'Critical', isStored: true, mayBeShed: false });
          } else if (each.kind === 'take') sink.take(each.bytes);
          else if (each.kind === 'flush') flusher.flushAll();
          else if (each.kind === 'callbacks') sink.runCallbacks();
          else connection[each.kind]();
          const takenNow = namesAt(sink);
          for (const [name, { takers }] of receipts) {
            expect(takers.length).toBeLessThanOrEqual(takenNow.includes(name) ? 1 : 0);
          }
        }
        if (!connection.isOpen) return;
        connection.openGate();
        flusher.flushAll();
        for (let i = 0; i < 200 && connection.backlogBytes > 0; i++) {
          sink.take(64 * KIB);
          sink.runCallbacks();
        }
        sink.runCallbacks();
        expect(connection.backlogBytes).toBe(0);

        const names = namesAt(sink);
        expect(new Set(names).size).toBe(names.length);
        const isStored = (name: string): boolean => name.includes(' id ');
        const ids = names.filter(isStored).map((name) => name.split(' id ')[1]);
        expect([...ids].sort()).toEqual([...claimed].map(String).sort());
        const plain = accepted.filter((each) => !each.isStored);
        const lost = plain.filter(({ name }) => !names.includes(name));
        expect(lost.every(({ mayBeShed }) => mayBeShed)).toBe(true);
        expect(lost).toHaveLength(shed);
        for (const priority of PRIORITIES) {
          const sent = plain.filter((each) => each.priority === priority && names.includes(each.name));
          const arrived = names.filter((name) => sent.some((each) => each.name === name));
          expect(arrived).toEqual(sent.map(({ name }) => name));
        }
        const settled = [...receipts].filter(([, { takers }]) => takers.length === 1).map(([name]) => name);
        expect(settled.sort()).toEqual(names.filter(isStored).sort());
      }),
      { numRuns: 300 },
    );
  });

  it('keeps plain order throughout as long as its kernel takes everything', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const connection = connect();
        const expected: string[] = [];
        let serial = 0;
        for (const each of steps) {
          if (each.kind === 'send') {
            const name = `${++serial}`;
            connection.send(frame(name, { priority: each.priority, mayBeShed: true, size: each.size }));
            expected.push(name);
          } else if (each.kind === 'flush') flusher.flushAll();
        }
        flusher.flushAll();
        expect(namesAt(connection.sink)).toEqual(expected);
      }),
    );
  });
});
