import { channel, Engine, id, tenant, user } from '../../test/support/engine';
import { FakeSink } from '../../test/support/fake-sink';
import { PROBE_TENANT } from '../notification/ids';
import { EVERY_TENANT, type Target } from '../notification/target';
import { CLOSE } from '../protocol/close-reason';
import { Frame } from '../protocol/frame';
import type { Receipt } from '../connection/receipt';

let engine: Engine;
const frame = (): Frame => new Frame(`{"id":"${id(1)}"}`, { event: 'notification', mayBeShed: true });
const T = tenant('t');

beforeEach(() => {
  engine = new Engine();
});

function countIn({ sink }: { readonly sink: FakeSink }): number {
  engine.flusher.flushAll();
  return sink.texts.length;
}

const sse = (): { sink: FakeSink } => ({ sink: new FakeSink('sse') });

describe('to users', () => {
  it('reaches every device of each, WebSocket or SSE, and says how many', () => {
    const a = engine.connect();
    const b = engine.connect({}, sse());
    const c = engine.connect({ user: user('bob') });
    const d = engine.connect({ user: user('carol') });
    const users = ['alice', 'bob', 'nobody'].map(user);
    const reach = engine.local.deliver(a.tenant, { kind: 'users', users }, frame());
    expect(reach).toMatchObject({ delivered: 3, failed: 0 });
    expect(reach.users).toEqual(
      new Map([
        ['alice', 2],
        ['bob', 1],
      ]),
    );
    expect([a, b, c, d].map(countIn)).toEqual([1, 1, 1, 0]);
  });

  it('counts a connection that refuses as failed, and its user as not reached', () => {
    const gone = engine.connect();
    gone.close(CLOSE.stale);
    const reach = engine.local.deliver(gone.tenant, { kind: 'user', user: gone.user }, frame());
    expect(reach).toMatchObject({ delivered: 0, failed: 1 });
    expect(reach.users.size).toBe(0);
  });

  it('stays within the tenant; every tenant is all but the self-probe’s', () => {
    const connections = [engine.connect(), engine.connect({ tenant: T }), engine.connect({ tenant: PROBE_TENANT })];
    const target: Target = { kind: 'user', user: user('alice') };
    expect(engine.local.deliver(T, target, frame()).delivered).toBe(1);
    expect(connections.map(countIn)).toEqual([0, 1, 0]);
    const everywhere = engine.local.deliver(EVERY_TENANT, target, frame());
    expect(everywhere.users).toEqual(new Map([['alice', 2]]));
    expect(connections.map(countIn)).toEqual([1, 2, 0]);
  });

  it('makes one receipt per user, for the tenant that is reached', () => {
    engine.connect();
    engine.connect();
    engine.connect({ tenant: T, user: user('bob') });
    const asked: string[] = [];
    const receipt: Receipt = { id: id(1), expiresAt: 0, taken: () => undefined };
    const users = ['alice', 'bob', 'nobody'].map(user);
    engine.local.deliver(EVERY_TENANT, { kind: 'users', users }, frame(), (of, to) => {
      asked.push(`${of}/${to}`);
      return receipt;
    });
    expect(asked).toEqual(['default/alice', 't/bob']);
  });
});

describe('broadcast', () => {
  const all = (target: Target): number[] => {
    const members = [
      engine.connect({ user: user('a'), roles: ['admin', 'ops'] }),
      engine.connect({ user: user('b'), roles: ['ops'] }, { channels: ['news'] }),
      engine.connect({ user: user('c') }, { ...sse(), channels: ['sport'] }),
      engine.connect({ user: user('a'), tenant: T, roles: ['admin'] }, { channels: ['news'] }),
    ];
    const before = members.map(countIn);
    const { delivered } = engine.local.deliver(members[0]?.tenant ?? T, target, frame());
    const got = members.map((member, index) => countIn(member) - (before[index] ?? 0));
    expect(delivered).toBe(got.reduce((sum, count) => sum + count, 0));
    return got;
  };

  it('reaches everybody of the tenant', () => {
    expect(all({ kind: 'broadcast' })).toEqual([1, 1, 1, 0]);
    expect(new Engine().local.deliver(T, { kind: 'broadcast' }, frame())).toMatchObject({ delivered: 0, failed: 0 });
  });

  it.each([
    [{ type: 'All' }, [1, 1, 1, 0]],
    [{ type: 'Roles', value: ['admin', 'none'] }, [1, 0, 0, 0]],
    [{ type: 'Roles', value: ['ops'] }, [1, 1, 0, 0]],
    [{ type: 'Roles', value: [] }, [0, 0, 0, 0]],
    [{ type: 'Users', value: ['a', 'c'] }, [1, 0, 1, 0]],
    [{ type: 'Channels', value: ['news', 'sport'] }, [0, 1, 1, 0]],
  ] as const)('reaches whom an audience means: %j', (audience, expected) => {
    expect(all({ kind: 'broadcast', audience })).toEqual(expected);
  });
});

describe('to channels', () => {
  it('reaches subscribers and the streams that hear every channel which their token allows', () => {
    const subscriber = engine.connect({}, { channels: ['news'] });
    const other = engine.connect({}, { channels: ['sport'] });
    const listener = engine.connect({ hearsAllChannels: true }, sse());
    const confined = engine.connect({ hearsAllChannels: true, mayHear: (name) => name === 'sport' }, sse());
    const reach = engine.local.deliver(subscriber.tenant, { kind: 'channel', channel: channel('news') }, frame());
    expect(reach).toMatchObject({ delivered: 2, failed: 0 });
    expect([subscriber, other, listener, confined].map(countIn)).toEqual([1, 0, 1, 0]);
  });

  it('gives one copy to a connection that is in several, and counts it in each of them', () => {
    const both = engine.connect({}, { channels: ['news', 'sport'] });
    const one = engine.connect({}, { channels: ['sport'] });
    const listener = engine.connect({ hearsAllChannels: true, mayHear: (name) => name !== 'sport' }, sse());
    const channels = ['news', 'sport', 'empty'].map(channel);
    const reach = engine.local.deliver(both.tenant, { kind: 'channels', channels }, frame());
    expect(reach).toMatchObject({ delivered: 3, failed: 0 });
    expect(reach.channels).toEqual(
      new Map([
        ['news', 2],
        ['sport', 2],
        ['empty', 1],
      ]),
    );
    expect([both, one, listener].map(countIn)).toEqual([1, 1, 1]);
  });

  it('gives the next notification again', () => {
    const both = engine.connect({}, { channels: ['news', 'sport'] });
    const target: Target = { kind: 'channels', channels: ['news', 'sport'].map(channel) };
    expect(engine.local.deliver(both.tenant, target, frame()).delivered).toBe(1);
    expect(engine.local.deliver(both.tenant, target, frame()).delivered).toBe(1);
    expect(countIn(both)).toBe(2);
  });

  it('counts a connection that refuses once, however many of the channels it is in', () => {
    const both = engine.connect({}, { channels: ['news', 'sport'] });
    both.close(CLOSE.stale);
    const target: Target = { kind: 'channels', channels: ['news', 'sport'].map(channel) };
    const reach = engine.local.deliver(both.tenant, target, frame());
    expect(reach).toMatchObject({ delivered: 0, failed: 1 });
    expect([...reach.channels.values()]).toEqual([0, 0]);
  });

  it('adds the tenants up when all are meant', () => {
    engine.connect({}, { channels: ['news'] });
    engine.connect({ tenant: T }, { channels: ['news'] });
    const target: Target = { kind: 'channels', channels: [channel('news')] };
    expect(engine.local.deliver(EVERY_TENANT, target, frame()).channels).toEqual(new Map([['news', 2]]));
    expect(engine.local.deliver(T, target, frame()).channels).toEqual(new Map([['news', 1]]));
    expect(engine.local.deliver(tenant('none'), target, frame())).toMatchObject({ delivered: 0 });
  });
});

it('finds those who can acknowledge: users with an open WebSocket that is meant', () => {
  const a = engine.connect({ user: user('a'), roles: ['ops'] }, { channels: ['x', 'y'] });
  engine.connect({ user: user('b') }, { ...sse(), channels: ['x'] });
  engine.connect({ user: user('c') }, { channels: ['y'] });
  engine.connect({ user: user('gone') }, { channels: ['x', 'y'] }).close(CLOSE.stale);
  const members = (target: Target): string[] =>
    [...new Set([...engine.local.webSocketMembers(a.tenant, target)].map(([, name]) => name))].sort();
  expect(members({ kind: 'user', user: user('a') })).toEqual(['a']);
  expect(members({ kind: 'user', user: user('b') })).toEqual([]);
  expect(members({ kind: 'users', users: ['a', 'b', 'c', 'gone'].map(user) })).toEqual(['a', 'c']);
  expect(members({ kind: 'broadcast' })).toEqual(['a', 'c']);
  expect(members({ kind: 'broadcast', audience: { type: 'Roles', value: ['ops'] } })).toEqual(['a']);
  expect(members({ kind: 'channel', channel: channel('x') })).toEqual(['a']);
  expect(members({ kind: 'channels', channels: ['x', 'y'].map(channel) })).toEqual(['a', 'c']);
});

it('lets a large fan-out wait behind a small one', async () => {
  const crowd = Array.from({ length: 400 }, (_, n) => engine.connect({ user: user(`u${n}`) }));
  const single = engine.connect();
  engine.local.deliver(single.tenant, { kind: 'broadcast', audience: { type: 'Roles', value: ['none'] } }, frame());
  engine.local.deliver(single.tenant, { kind: 'users', users: crowd.map((each) => each.user) }, frame());
  engine.local.deliver(single.tenant, { kind: 'user', user: single.user }, frame());
  await new Promise((resolve) => setImmediate(resolve));
  expect(single.sink.texts).toHaveLength(1);
  expect(crowd.filter(({ sink }) => sink.texts.length === 1)).toHaveLength(255);
});
