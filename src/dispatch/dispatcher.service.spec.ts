import { Logger } from '@nestjs/common';
import { Engine, channel, id, tenant, user } from '../../test/support/engine';
import { FakeSink } from '../../test/support/fake-sink';
import { FaultyQueueStore } from '../../test/support/faulty-queue-store';
import { LocalClusterBus, type Reach, type RelayedDelivery, type RelayReport } from '../cluster/cluster-bus';
import { LocalSessionDirectory } from '../cluster/session-directory';
import type { Delivery } from '../notification/delivery';
import { isAccepted } from '../notification/delivery';
import type { Eventual } from '../notification/eventual';
import { DEFAULT_TENANT, type UserId } from '../notification/ids';
import { EVERY_TENANT, type Target } from '../notification/target';
import { StoreUnavailableError } from '../notification/store-unavailable';
import { CLOSE } from '../protocol/close-reason';

const QUEUE = { QUEUE_ENABLED: 'true' };
const toUser = (name = 'alice'): Target => ({ kind: 'user', user: user(name) });
const toUsers = (...names: readonly string[]): Target => ({ kind: 'users', users: names.map(user) });

/** The other nodes: hears what is relayed, answers as the test says, and relays what the test says. */
class OtherNodes extends LocalClusterBus {
  readonly heard: RelayedDelivery[] = [];
  answer: RelayReport = {
    reach: { delivered: 0, failed: 0, users: new Map(), channels: new Map() },
    complete: true,
  };
  deliver: (delivery: RelayedDelivery) => Eventual<Reach> = () => Promise.reject(new Error('nobody listens'));

  override relay(delivery?: RelayedDelivery): Promise<RelayReport> {
    if (delivery !== undefined) this.heard.push(delivery);
    return Promise.resolve(this.answer);
  }

  override onRelay(deliver?: (delivery: RelayedDelivery) => Eventual<Reach>): void {
    if (deliver !== undefined) this.deliver = deliver;
  }
}

/** A directory that knows some users to be on other nodes. */
class Elsewhere extends LocalSessionDirectory {
  constructor(private readonly users: readonly string[] | Error) {
    super();
  }

  override presentElsewhere(_tenant?: unknown, asked: readonly UserId[] = []): Promise<ReadonlySet<UserId>> {
    if (this.users instanceof Error) return Promise.reject(this.users);
    const { users } = this;
    return Promise.resolve(new Set(asked.filter((each) => users.includes(each))));
  }
}

beforeEach(() => {
  jest.spyOn(Logger.prototype, 'debug').mockImplementation(() => undefined);
});

afterEach(() => jest.restoreAllMocks());

describe('with the queue off', () => {
  let engine: Engine;

  beforeEach(() => {
    engine = new Engine();
  });

  it('sends the notification’s frame and reports whom it reached', async () => {
    const connection = engine.connect();
    const delivery = engine.delivery(toUser());
    const report = await engine.dispatcher.dispatch(delivery);
    expect(report).toEqual({
      id: delivery.notification.id,
      deliveredTo: 1,
      failed: 0,
      queuedCount: 0,
      durable: false,
      duplicate: false,
      expired: false,
    });
    engine.flusher.flushAll();
    expect(JSON.parse(connection.sink.texts[0] ?? '')).toMatchObject({
      type: 'notification',
      id: delivery.notification.id,
      payload: { n: 1 },
      metadata: { source: 'http-api', priority: 'Normal' },
    });
  });

  it('accepts nothing for somebody who is not there', async () => {
    const report = await engine.dispatcher.dispatch(engine.delivery(toUser()));
    expect(isAccepted(report)).toBe(false);
    expect(report).toMatchObject({ deliveredTo: 0, queuedCount: 0 });
  });

  it('reports each user of a list, and each channel', async () => {
    engine.connect({}, { channels: ['news', 'sport'] });
    engine.connect({}, { channels: ['news'] });
    const toList = await engine.dispatcher.dispatch(engine.delivery(toUsers('alice', 'bob')));
    expect(toList.perUser).toEqual(
      new Map([
        ['alice', { connections: 2, queued: false }],
        ['bob', { connections: 0, queued: false }],
      ]),
    );
    const channels = ['news', 'sport', 'none'].map(channel);
    const toChannels = await engine.dispatcher.dispatch(engine.delivery({ kind: 'channels', channels }));
    expect(toChannels).toMatchObject({ deliveredTo: 2 });
    expect(toChannels.perChannel).toEqual(
      new Map([
        ['news', 2],
        ['sport', 1],
        ['none', 0],
      ]),
    );
  });

  it('neither sends nor counts what has expired', async () => {
    const connection = engine.connect();
    const notification = engine.notification({ ttlSeconds: 1 });
    engine.clock.advance(1000);
    const expired = await engine.dispatcher.dispatch(engine.delivery(toUser(), { notification }));
    expect(expired).toMatchObject({ expired: true, duplicate: false, deliveredTo: 0, failed: 0 });
    const atBirth = engine.delivery(toUser(), { notification: engine.notification({ ttlSeconds: 0 }) });
    expect(await engine.dispatcher.dispatch(atBirth)).toMatchObject({ expired: true });
    engine.flusher.flushAll();
    expect(connection.sink.writes).toEqual([]);
    expect(engine.statistics.totals).toMatchObject({ sent: 0, delivered: 0, failed: 0 });
  });

  it('processes a publisher’s message once', async () => {
    const connection = engine.connect();
    const dedupeKey = 'message-1';
    const first = await engine.dispatcher.dispatch(engine.delivery({ kind: 'broadcast' }, { dedupeKey }));
    const second = await engine.dispatcher.dispatch(engine.delivery({ kind: 'broadcast' }, { dedupeKey }));
    expect([first.duplicate, second.duplicate]).toEqual([false, true]);
    expect(second).toMatchObject({ deliveredTo: 0, queuedCount: 0 });
    engine.flusher.flushAll();
    expect(connection.sink.texts).toHaveLength(1);
    expect(engine.statistics.totals.sent).toBe(1);
  });

  it('counts what it sends, by target and tenant', async () => {
    engine.connect();
    engine.connect({ tenant: tenant('t') }).close(CLOSE.stale);
    await engine.dispatcher.dispatch(engine.delivery(toUser()));
    await engine.dispatcher.dispatch(engine.delivery({ kind: 'broadcast' }, { tenant: tenant('t') }));
    await engine.dispatcher.dispatch(engine.delivery({ kind: 'broadcast' }, { tenant: EVERY_TENANT }));
    expect(engine.statistics.totals).toMatchObject({ sent: 3, delivered: 2, failed: 2 });
    expect(engine.statistics.ofTenant(DEFAULT_TENANT)).toMatchObject({ sent: 1, delivered: 1, failed: 0 });
    expect(engine.statistics.ofTenant(tenant('t'))).toMatchObject({ sent: 1, delivered: 0, failed: 1 });
    expect([engine.statistics.sentTo('user'), engine.statistics.sentTo('broadcast')]).toEqual([1, 2]);
  });

  it('knows whether somebody would receive it', async () => {
    const is = (target: Target, of = DEFAULT_TENANT): Promise<boolean> => engine.dispatcher.isDeliverable(of, target);
    expect(await is({ kind: 'broadcast' })).toBe(false);
    engine.connect({ roles: ['ops'] }, { channels: ['news'] });
    expect(await is(toUser())).toBe(true);
    expect(await is(toUser('bob'))).toBe(false);
    expect(await is(toUser(), tenant('t'))).toBe(false);
    expect(await is(toUsers('bob', 'alice'))).toBe(true);
    expect(await is({ kind: 'broadcast' })).toBe(true);
    expect(await is({ kind: 'broadcast', audience: { type: 'Roles', value: ['x'] } })).toBe(false);
    expect(await is({ kind: 'channel', channel: channel('news') })).toBe(true);
    expect(await is({ kind: 'channels', channels: [channel('none')] })).toBe(false);
    engine.connect({ hearsAllChannels: true, mayHear: (name) => name !== 'secret' });
    expect(await is({ kind: 'channels', channels: [channel('none')] })).toBe(true);
    expect(await is({ kind: 'channels', channels: [channel('secret')] })).toBe(false);
  });
});

describe('with the queue on', () => {
  let engine: Engine;
  let store: FaultyQueueStore;

  beforeEach(() => {
    store = new FaultyQueueStore();
    engine = new Engine({ env: QUEUE, queueStore: store });
  });

  async function failure(of: unknown): Promise<unknown> {
    return Promise.resolve(of).then(
      () => 'no failure',
      (error: unknown) => error,
    );
  }

  it('keeps for the absent, sends to the present, and says which', async () => {
    engine.connect();
    const delivery = engine.delivery(toUsers('alice', 'bob'));
    const report = await engine.dispatcher.dispatch(delivery);
    expect(report).toMatchObject({ deliveredTo: 1, queuedCount: 1, durable: true });
    expect(report.perUser).toEqual(
      new Map([
        ['alice', { connections: 1, queued: false }],
        ['bob', { connections: 0, queued: true }],
      ]),
    );
    expect(isAccepted(report)).toBe(true);
    await engine.settle();
    expect(await engine.stored('alice')).toEqual([]);
    expect(await engine.stored('bob')).toEqual([delivery.notification.id]);
    expect(engine.queueMetrics.enqueued.value).toBe(1);
  });

  it('has stored it before anybody sees it', async () => {
    const connection = engine.connect();
    const order: string[] = [];
    const append = store.append.bind(store);
    jest.spyOn(store, 'append').mockImplementation(async (...args) => {
      const outcome = await append(...args);
      order.push('stored');
      return outcome;
    });
    jest.spyOn(connection.sink, 'write').mockImplementation(() => order.push('written'));
    await engine.dispatcher.dispatch(engine.delivery(toUser()));
    engine.flusher.flushAll();
    expect(order).toEqual(['stored', 'written']);
  });

  it('never keeps broadcasts and channels', async () => {
    engine.connect({}, { channels: ['news'] });
    for (const target of [{ kind: 'broadcast' }, { kind: 'channel', channel: channel('news') }] as const) {
      expect(await engine.dispatcher.dispatch(engine.delivery(target))).toMatchObject({
        queuedCount: 0,
        durable: false,
      });
    }
    expect(await engine.queue.size()).toEqual({ messages: 0, users: 0 });
  });

  it('says durable only of a store that is', async () => {
    store.durable = false;
    expect(await engine.dispatcher.dispatch(engine.delivery(toUser()))).toMatchObject({
      queuedCount: 1,
      durable: false,
    });
  });

  it('can deliver to any user, as it keeps for them', async () => {
    expect(await engine.dispatcher.isDeliverable(DEFAULT_TENANT, toUser('nobody'))).toBe(true);
    expect(await engine.dispatcher.isDeliverable(DEFAULT_TENANT, toUsers())).toBe(false);
    expect(await engine.dispatcher.isDeliverable(DEFAULT_TENANT, { kind: 'broadcast' })).toBe(false);
  });

  it('keeps under the default tenant what an unscoped trigger sends, and settles it there only', async () => {
    const [home, foreign] = [engine.connect(), engine.connect({ tenant: tenant('t') })];
    engine.connect({ tenant: tenant('t'), user: user('carol') });
    const delivery = engine.delivery(toUsers('alice', 'bob', 'carol'), { tenant: EVERY_TENANT });
    expect(await engine.dispatcher.dispatch(delivery)).toMatchObject({ deliveredTo: 3, queuedCount: 1 });
    await engine.settle();
    expect([home, foreign].map(({ sink }) => sink.ids)).toEqual([
      [delivery.notification.id],
      [delivery.notification.id],
    ]);
    expect(await engine.stored('alice')).toEqual([]);
    expect(await engine.stored('bob')).toEqual([delivery.notification.id]);
    expect(await engine.stored('carol')).toEqual([delivery.notification.id]);
  });

  it('neither stores nor sends a duplicate; of a list it sends what the first comer did not store', async () => {
    const users = Array.from({ length: 501 }, (_, n) => user(`u${n}`));
    const last = engine.connect({ user: user('u500') });
    const dedupeKey = 'message-1';
    await engine.queue.keep({
      tenant: DEFAULT_TENANT,
      users: users.slice(0, 500),
      notification: engine.notification(),
      json: '{}',
      isPresent: () => false,
      dedupeKey,
    });
    const partly = engine.delivery({ kind: 'users', users }, { dedupeKey });
    const report = await engine.dispatcher.dispatch(partly);
    expect(report).toMatchObject({ deliveredTo: 1, queuedCount: 0, duplicate: false });
    expect([...(report.perUser?.keys() ?? [])]).toEqual(['u500']);
    const again = await engine.dispatcher.dispatch(engine.delivery({ kind: 'users', users }, { dedupeKey }));
    expect(again).toMatchObject({ duplicate: true, deliveredTo: 0, queuedCount: 0 });
    engine.flusher.flushAll();
    expect(last.sink.ids).toEqual([partly.notification.id]);
  });

  it('neither stores nor counts what has expired', async () => {
    const notification = engine.notification({ ttlSeconds: 0 });
    expect(await engine.dispatcher.dispatch(engine.delivery(toUser(), { notification }))).toMatchObject({
      expired: true,
      queuedCount: 0,
    });
    expect(await engine.stored('alice')).toEqual([]);
  });

  describe('while the store is out of reach', () => {
    it('sends to users who are all connected, and says that it is not durable', async () => {
      const [alice, bob] = [engine.connect(), engine.connect({ user: user('bob') })];
      store.isDown = true;
      const report = await engine.dispatcher.dispatch(engine.delivery(toUsers('alice', 'bob')));
      expect(report).toMatchObject({ deliveredTo: 2, queuedCount: 0, durable: false });
      engine.flusher.flushAll();
      expect([alice, bob].map(({ sink }) => sink.texts.length)).toEqual([1, 1]);
    });

    it('sends nothing when one of them is not, and says what to do', async () => {
      const alice = engine.connect();
      store.isDown = true;
      const delivery = engine.delivery(toUsers('alice', 'bob'));
      expect(await failure(engine.dispatcher.dispatch(delivery))).toMatchObject({
        name: 'AraError',
        reason: 'QUEUE_UNAVAILABLE',
        retryAfterSeconds: 1,
        details: { notification_id: delivery.notification.id },
        cause: expect.any(StoreUnavailableError) as unknown,
      });
      engine.flusher.flushAll();
      expect(alice.sink.writes).toEqual([]);
      expect(engine.statistics.totals.sent).toBe(0);
    });

    it('counts users on other nodes as connected, unless the directory cannot be asked', async () => {
      for (const [directory, expected] of [
        [new Elsewhere(['bob']), { deliveredTo: 1 }],
        [new Elsewhere(['carol']), { reason: 'QUEUE_UNAVAILABLE' }],
        [new Elsewhere(new StoreUnavailableError('redis', 'away')), { reason: 'QUEUE_UNAVAILABLE' }],
      ] as const) {
        engine = new Engine({ env: QUEUE, queueStore: store, directory });
        engine.connect();
        store.isDown = true;
        const outcome = engine.dispatcher.dispatch(engine.delivery(toUsers('alice', 'bob')));
        expect(await Promise.resolve(outcome).catch((error: unknown) => error)).toMatchObject(expected);
      }
    });

    it('still sends what no store keeps', async () => {
      engine.connect();
      store.isDown = true;
      expect(await engine.dispatcher.dispatch(engine.delivery({ kind: 'broadcast' }))).toMatchObject({
        deliveredTo: 1,
      });
    });

    it('processes a publisher’s message once all the same', async () => {
      engine.connect();
      store.isDown = true;
      const dedupeKey = 'message-1';
      const first = await engine.dispatcher.dispatch(engine.delivery(toUser(), { dedupeKey }));
      const second = await engine.dispatcher.dispatch(engine.delivery(toUser(), { dedupeKey }));
      expect([first.duplicate, second.duplicate]).toEqual([false, true]);
    });

    it('passes on what the input made fail as it is', async () => {
      const refused = new Error('too long for a column');
      jest.spyOn(store, 'append').mockRejectedValue(refused);
      engine.connect();
      expect(await failure(engine.dispatcher.dispatch(engine.delivery(toUser())))).toBe(refused);
    });

    it('does not give it twice when it had been stored after all, and takes it out when the store is back', async () => {
      const connection = engine.connect();
      store.losesAnswers = true;
      const delivery = engine.delivery(toUser());
      expect(await engine.dispatcher.dispatch(delivery)).toMatchObject({ deliveredTo: 1, durable: false });
      store.losesAnswers = false;
      expect(await engine.stored('alice')).toEqual([delivery.notification.id]);
      await engine.settle();
      expect(await engine.stored('alice')).toEqual([]);
      expect(connection.sink.ids).toEqual([delivery.notification.id]);
      expect(connection.wasGiven(delivery.notification.id)).toBe(true);
    });
  });

  describe('a batch that is all or nothing', () => {
    const three = (): Delivery[] => ['alice', 'bob', 'carol'].map((name) => engine.delivery(toUser(name)));

    it('is sent when all of it is stored, in its order', async () => {
      const alice = engine.connect();
      const deliveries = [...three(), engine.delivery(toUser())];
      const reports = await engine.dispatcher.dispatchAtomically(deliveries);
      expect(reports.map((report) => report.id)).toEqual(deliveries.map(({ notification }) => notification.id));
      engine.flusher.flushAll();
      expect(alice.sink.ids).toEqual([deliveries[0], deliveries[3]].map((each) => each?.notification.id));
    });

    it('sends nothing and takes back what was stored when one of it cannot be', async () => {
      const alice = engine.connect();
      const deliveries = three();
      store.failsFor = deliveries[1]?.notification.id;
      // One batch of appends fails as a whole; these go out in three.
      jest.spyOn(engine.queue, 'keep').mockImplementation(async (request) => {
        const [outcome] = await store.append(
          [
            {
              tenant: request.tenant,
              users: request.users,
              body: { id: request.notification.id, priority: 'Normal', expiresAt: Infinity, json: request.json },
              present: new Set(),
            },
          ],
          100,
          engine.clock.now(),
        );
        expect(outcome?.kind).toBe('stored');
        return { users: request.users, durable: true, expiresAt: Infinity };
      });
      expect(await failure(engine.dispatcher.dispatchAtomically(deliveries))).toMatchObject({
        reason: 'QUEUE_UNAVAILABLE',
        details: { notification_id: deliveries[1]?.notification.id },
      });
      engine.flusher.flushAll();
      expect(alice.sink.writes).toEqual([]);
      for (const name of ['alice', 'bob', 'carol']) expect(await engine.stored(name)).toEqual([]);
    });

    it('names the first failure when the store is away altogether, and stores nothing', async () => {
      store.isDown = true;
      const deliveries = three();
      expect(await failure(engine.dispatcher.dispatchAtomically(deliveries))).toMatchObject({
        details: { notification_id: deliveries[0]?.notification.id },
      });
      store.isDown = false;
      expect(await engine.queue.size()).toEqual({ messages: 0, users: 0 });
    });
  });
});

describe('with other nodes', () => {
  let bus: OtherNodes;
  let engine: Engine;

  beforeEach(() => {
    bus = new OtherNodes();
    engine = new Engine({ env: QUEUE, bus });
  });

  it('tells them everything that they need, once', async () => {
    const notification = engine.notification({ ttlSeconds: 60 });
    const delivery = engine.delivery(toUser(), { notification });
    await engine.dispatcher.dispatch(delivery);
    const end = notification.occurredAt + 60_000;
    expect(bus.heard).toEqual([
      expect.objectContaining({
        id: notification.id,
        tenant: 'default',
        target: toUser(),
        expiresAt: end,
        keptUntil: end,
      }),
    ]);
    expect(JSON.parse(bus.heard[0]?.frame.json ?? '')).toMatchObject({ id: notification.id });
    await engine.dispatcher.dispatch(engine.delivery({ kind: 'broadcast' }));
    expect(bus.heard[1]).toMatchObject({ expiresAt: undefined, keptUntil: undefined });
  });

  it('adds up what was reached here and there', async () => {
    engine.connect({}, { channels: ['news'] });
    bus.answer = {
      reach: {
        delivered: 3,
        failed: 1,
        users: new Map([
          [user('alice'), 2],
          [user('bob'), 1],
        ]),
        channels: new Map(),
      },
      complete: true,
    };
    const report = await engine.dispatcher.dispatch(engine.delivery(toUsers('alice', 'bob', 'carol')));
    expect(report).toMatchObject({ deliveredTo: 4, failed: 1, queuedCount: 1 });
    expect(report.perUser).toEqual(
      new Map([
        ['alice', { connections: 3, queued: false }],
        ['bob', { connections: 1, queued: false }],
        ['carol', { connections: 0, queued: true }],
      ]),
    );
    bus.answer = {
      reach: {
        delivered: 1,
        failed: 0,
        users: new Map(),
        channels: new Map([
          ['news', 1],
          ['sport', 1],
        ]),
      },
      complete: true,
    };
    const channels = ['news', 'sport'].map(channel);
    expect((await engine.dispatcher.dispatch(engine.delivery({ kind: 'channels', channels }))).perChannel).toEqual(
      new Map([
        ['news', 2],
        ['sport', 1],
      ]),
    );
  });

  it('says queued of a kept user whom a node that did not answer may have reached', async () => {
    bus.answer = { ...bus.answer, complete: false };
    expect(await engine.dispatcher.dispatch(engine.delivery(toUser()))).toMatchObject({ queuedCount: 1 });
  });

  it('delivers here what they relay, settles it, and counts what it reached, not that it was sent', async () => {
    const connection = engine.connect();
    const delivery = engine.delivery(toUser());
    await engine.queue.keep({
      tenant: DEFAULT_TENANT,
      users: [user('alice')],
      notification: delivery.notification,
      json: '{}',
      isPresent: () => true,
      dedupeKey: undefined,
    });
    const { frame } = await new Engine().intake.take(delivery);
    const relayed = {
      id: delivery.notification.id,
      tenant: DEFAULT_TENANT,
      target: toUser(),
      frame,
      expiresAt: undefined,
      keptUntil: engine.clock.now() + 1000,
    };
    expect(await bus.deliver(relayed)).toMatchObject({ delivered: 1, users: new Map([['alice', 1]]) });
    await engine.settle();
    expect(connection.sink.ids).toEqual([delivery.notification.id]);
    expect(await engine.stored('alice')).toEqual([]);
    expect(engine.statistics.totals).toMatchObject({ sent: 0, delivered: 1 });
    expect(bus.heard).toEqual([]);
  });

  it('drops what expired on its way', async () => {
    const connection = engine.connect();
    const { frame, delivery } = await engine.intake.take(engine.delivery({ kind: 'broadcast' }));
    const relayed = { id: id(1), tenant: DEFAULT_TENANT, target: delivery.target, frame, keptUntil: undefined };
    const now = engine.clock.now();
    expect(await bus.deliver({ ...relayed, expiresAt: now })).toMatchObject({ delivered: 0, failed: 0 });
    expect(await bus.deliver({ ...relayed, expiresAt: now + 1 })).toMatchObject({ delivered: 1 });
    engine.flusher.flushAll();
    expect(connection.sink.texts).toHaveLength(1);
  });
});

it('carries the trace context in frames only when that is asked for', async () => {
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  for (const [env, expected] of [
    [{}, undefined],
    [{ TRACE_IN_FRAMES: 'true' }, traceparent],
  ] as const) {
    const engine = new Engine({ env });
    const connection = engine.connect({}, { sink: new FakeSink('sse') });
    await engine.dispatcher.dispatch(engine.delivery(toUser(), { notification: engine.notification({ traceparent }) }));
    engine.flusher.flushAll();
    const { metadata } = JSON.parse(connection.sink.texts[0] ?? '') as { metadata: { traceparent?: string } };
    expect(metadata.traceparent).toBe(expected);
  }
});
