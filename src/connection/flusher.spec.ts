import fc from 'fast-check';
import { FakeSink } from '../../test/support/fake-sink';
import { connectionOf, type Made } from '../../test/support/engine';
import { Frame } from '../protocol/frame';
import { Flusher, type Lane } from './flusher';

let flusher: Flusher;

beforeEach(() => {
  flusher = new Flusher();
});

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function text(json: string): Frame {
  return new Frame(json, { event: 'message' });
}

function connect(sink = new FakeSink()): Made {
  return connectionOf({ flusher, sink });
}

it('writes nothing within the turn and everything of it in one write', async () => {
  const connection = connect();
  connection.send(text('1'));
  connection.send(text('2'));
  connection.send(text('3'));
  expect(connection.sink.writes).toHaveLength(0);
  await turn();
  expect(connection.sink.writes).toHaveLength(1);
  expect(connection.sink.texts).toEqual(['1', '2', '3']);
});

it('lets connections that are sent the same share the very same bytes', async () => {
  const [one, other, sse] = [connect(), connect(), connect(new FakeSink('sse'))];
  for (const frame of [text('1'), text('2')]) for (const connection of [one, other, sse]) connection.send(frame);
  await turn();
  expect(one.sink.writes[0]).toBe(other.sink.writes[0]);
  expect(sse.sink.texts).toEqual(['1', '2']);
});

it('flushes express connections before bulk ones, however late they came', async () => {
  const written: string[] = [];
  const flushable = (name: string): { flush: () => void } => ({ flush: () => written.push(name) });
  flusher.add(flushable('bulk 1'), 'bulk');
  flusher.add(flushable('bulk 2'), 'bulk');
  flusher.add(flushable('express'), 'express');
  await turn();
  expect(written).toEqual(['express', 'bulk 1', 'bulk 2']);
});

it('writes 256 per turn, of which bulk gets 64 however many express ones there are', async () => {
  const written: Record<Lane, number> = { express: 0, bulk: 0 };
  for (let i = 0; i < 600; i++) flusher.add({ flush: () => written.express++ }, 'express');
  for (let i = 0; i < 600; i++) flusher.add({ flush: () => written.bulk++ }, 'bulk');
  await turn();
  expect(written).toEqual({ express: 256, bulk: 64 });
  await turn();
  expect(written).toEqual({ express: 512, bulk: 128 });
  await turn();
  expect(written).toEqual({ express: 600, bulk: 128 + 256 - 88 });
  await turn();
  expect(written.bulk).toBe(128 + 256 - 88 + 256);
  await turn();
  expect(written.bulk).toBe(600);
});

it('lets frames that come while a connection waits for its slice join its write', async () => {
  for (let i = 0; i < 256; i++) flusher.add({ flush: () => undefined }, 'express');
  const connection = connect();
  connection.send(text('1'));
  await turn();
  connection.send(text('2'));
  expect(connection.sink.writes).toHaveLength(0);
  await turn();
  expect(connection.sink.writes).toHaveLength(1);
  expect(connection.sink.texts).toEqual(['1', '2']);
});

it('keeps the order of a connection that is promoted, and writes it once', async () => {
  for (let i = 0; i < 64; i++) flusher.add({ flush: () => undefined }, 'express');
  const others = Array.from({ length: 300 }, () => connect());
  for (const other of others) other.send(text('"bulk"'), undefined, 'bulk');
  const promoted = connect();
  promoted.send(text('"broadcast"'), undefined, 'bulk');
  promoted.send(text('"urgent"'), undefined, 'express');
  promoted.send(text('"again"'), undefined, 'bulk');
  await turn();
  expect(promoted.sink.texts).toEqual(['"broadcast"', '"urgent"', '"again"']);
  expect(others.filter(({ sink }) => sink.writes.length > 0)).toHaveLength(256 - 64 - 1);
  await turn();
  await turn();
  expect(promoted.sink.writes).toHaveLength(1);
  expect(others.every(({ sink }) => sink.writes.length === 1)).toBe(true);
});

it('writes everything at once when the process ends', () => {
  const connections = Array.from({ length: 1000 }, () => connect());
  connections.forEach((connection, index) => {
    connection.send(text(`${index}`), undefined, index % 2 === 0 ? 'bulk' : 'express');
  });
  flusher.flushAll();
  expect(connections.map(({ sink }) => sink.texts)).toEqual(connections.map((_, index) => [`${index}`]));
});

it('lets go of what it wrote: idle for a turn, it starts from a new root', async () => {
  const before = flusher.root;
  connect().send(text('1'));
  expect(flusher.root).toBe(before);
  await turn();
  expect(flusher.root).not.toBe(before);
});

it('loses nothing under a load that never lets the list run empty', async () => {
  const counts = new Map<number, number>();
  const members = Array.from({ length: 500 }, (_, n) => ({
    flush: () => {
      counts.set(n, (counts.get(n) ?? 0) + 1);
      if ((counts.get(n) ?? 0) < 20) flusher.add(members[n] as { flush: () => void }, 'bulk');
    },
  }));
  for (const member of members) flusher.add(member, 'bulk');
  for (let i = 0; i < 60; i++) await turn();
  expect([...counts.values()]).toEqual(members.map(() => 20));
});

it('gives every connection all of its frames in order, whatever the lanes and turns', async () => {
  const step = fc.oneof(
    { weight: 9, arbitrary: fc.record({ to: fc.nat(5), lane: fc.constantFrom<Lane>('express', 'bulk') }) },
    { weight: 1, arbitrary: fc.constant('turn' as const) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 80 }), async (steps) => {
      const connections = Array.from({ length: 6 }, (_, n) => connect(new FakeSink(n % 2 === 0 ? 'websocket' : 'sse')));
      const expected: string[][] = connections.map(() => []);
      let serial = 0;
      for (const each of steps) {
        if (each === 'turn') await turn();
        else {
          const json = `${++serial}`;
          connections[each.to]?.send(text(json), undefined, each.lane);
          expected[each.to]?.push(json);
        }
      }
      await turn();
      expect(connections.map(({ sink }) => sink.texts)).toEqual(expected);
    }),
    { numRuns: 50 },
  );
});
