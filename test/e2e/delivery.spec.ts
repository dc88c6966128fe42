import { AraProcess } from '../support/ara-process';
import type { SseClient } from '../support/sse-client';
import { until } from '../support/until';
import type { WsClient, WsFrame } from '../support/ws-client';

// From a POST to the sockets: who gets it, how often, in which order, and what the sender is told.

interface Sent {
  readonly success: boolean;
  readonly notification_id: string;
  readonly delivered_to: number;
  readonly failed: number;
}

let ara: AraProcess;

function post<T = Sent>(path: string, body: object, headers = {}): Promise<T> {
  const content = { event_type: 'e', payload: null };
  return ara.post(`/api/v1/notifications/${path}`, { ...content, ...body }, headers).then((answer) => answer.json<T>());
}

/** The ids that a client was given, once each, until the one given last. */
async function idsOf(client: WsClient | SseClient, last: string): Promise<string[]> {
  const ids: string[] = [];
  while (ids.at(-1) !== last) {
    const frame = await client.next('notification');
    const { id } = ('data' in frame ? JSON.parse(frame.data as string) : frame) as { id: string };
    if ('data' in frame) expect(frame.id).toBe(id);
    ids.push(id);
  }
  return ids;
}

describe('a notification', () => {
  /** By name: two devices of Alice, her stream, Bob's device, Carol's stream. */
  let clients: Record<string, WsClient | SseClient>;

  beforeAll(async () => {
    ara = await AraProcess.start({ WEBSOCKET_MAX_CONNECTIONS_PER_USER: '0' });
    const [desk, phone, bob] = await Promise.all([
      ara.ws('alice', { roles: ['user', 'admin'] }),
      ara.ws('alice'),
      ara.ws('bob', { roles: ['ops'] }),
    ]);
    clients = {
      desk,
      phone,
      stream: await ara.sse('alice', { channels: ['news'] }),
      bob,
      carol: await ara.sse('carol', { roles: ['admin'] }),
    };
    await desk.subscribe('orders', 'news');
    await phone.subscribe('orders');
    await bob.subscribe('news');
  });
  afterAll(() => ara.stop());

  /** Sends, and tells which clients were given it, each no more than once. */
  async function recipients<T extends Sent>(path: string, body: object): Promise<[report: T, names: string[]]> {
    const report = await post<T>(path, body);
    const { notification_id: last } = await post('broadcast', {});
    const names: string[] = [];
    for (const [name, client] of Object.entries(clients)) {
      const ids = await idsOf(client, last);
      expect(ids).toEqual(ids.length === 1 ? [last] : [report.notification_id, last]);
      if (ids.length > 1) names.push(name);
    }
    expect(report).toMatchObject({ success: names.length > 0, delivered_to: names.length, failed: 0 });
    return [report, names];
  }

  const ALICE = ['desk', 'phone', 'stream'];
  const EVERYBODY = [...ALICE, 'bob', 'carol'];

  it.each<[string, object, string[]]>([
    ['send', { target_user_id: 'alice' }, ALICE],
    ['send', { target_user_id: 'carol' }, ['carol']],
    ['send', { target_user_id: 'nobody' }, []],
    ['send-to-users', { target_user_ids: ['bob', 'alice', 'nobody', 'alice'] }, [...ALICE, 'bob']],
    ['send-to-users', { target_user_ids: [] }, []],
    ['broadcast', {}, EVERYBODY],
    ['channel', { channel: 'orders' }, ['desk', 'phone', 'carol']],
    ['channel', { channel: 'news' }, ['desk', 'stream', 'bob', 'carol']],
    ['channel', { channel: 'unheard of' }, ['carol']],
    ['channels', { channels: ['orders', 'news', 'orders'] }, EVERYBODY],
    ['channels', { channels: [] }, []],
    ['broadcast', { audience: { type: 'All' } }, EVERYBODY],
    ['broadcast', { audience: { type: 'Roles', value: ['admin', 'none'] } }, ['desk', 'carol']],
    ['broadcast', { audience: { type: 'Roles', value: [] } }, []],
    ['broadcast', { audience: { type: 'Users', value: ['bob', 'carol', 'nobody'] } }, ['bob', 'carol']],
    ['broadcast', { audience: { type: 'Users', value: ['ali'] } }, []],
    // Those whom the same channels would reach, streams that hear all channels among them.
    ['broadcast', { audience: { type: 'Channels', value: ['news', 'x'] } }, ['desk', 'stream', 'bob', 'carol']],
    ['broadcast', { audience: { type: 'Channels', value: ['orders'] } }, ['desk', 'phone', 'carol']],
    ['broadcast', { audience: { type: 'Channels', value: [] } }, []],
  ])('by %s %j', async (path, body, names) => {
    expect((await recipients(path, body))[1]).toEqual(names);
  });

  it('to several users or channels is counted for each of them', async () => {
    const [users] = await recipients('send-to-users', { target_user_ids: ['alice', 'nobody', 'bob'] });
    expect(users).toMatchObject({
      results: {
        alice: { delivered: true, connections: 3, queued: false },
        nobody: { delivered: false, connections: 0, queued: false },
        bob: { delivered: true, connections: 1, queued: false },
      },
    });
    const [channels] = await recipients('channels', { channels: ['orders', 'news'] });
    expect(channels).toMatchObject({
      channels: { orders: { delivered_to: 3 }, news: { delivered_to: 4 } },
      total_delivered: 5,
    });
  });

  it.each<[string, object]>([
    ['send', { target_user_id: 'alice' }],
    ['send-to-users', { target_user_ids: ['alice', 'bob'] }],
    ['broadcast', {}],
    ['channel', { channel: 'orders' }],
    ['channels', { channels: ['orders', 'news'] }],
  ])('whose life is over reaches nobody, by %s', async (path, body) => {
    expect((await recipients(path, { ...body, ttl: 0 }))[1]).toEqual([]);
    expect((await recipients(path, { ...body, ttl: 5 }))[1]).not.toEqual([]);
  });

  it('is the same for both transports', async () => {
    const body = { target_user_id: 'alice', event_type: 'x', payload: { a: 1 }, priority: 'Low', correlation_id: 'c' };
    await post('send', body);
    const [desk, stream] = [clients['desk'] as WsClient, clients['stream'] as SseClient];
    const { text } = await desk.next('notification');
    expect((await stream.next('notification')).data).toBe(text);
    await (clients['phone'] as WsClient).next('notification');
  });

  it('does not overtake an earlier one', async () => {
    const sent: string[] = [];
    for (let i = 0; i < 300; i++) {
      const [path, body] = (
        [
          ['send', { target_user_id: 'alice' }],
          ['broadcast', { priority: 'Critical' }],
          ['channel', { channel: 'news', priority: 'Low' }],
        ] as const
      )[i % 3]!;
      sent.push((await post(path, body)).notification_id);
    }
    for (const name of ['desk', 'stream']) expect(await idsOf(clients[name]!, sent.at(-1)!)).toEqual(sent);
    for (const name of ['phone', 'bob', 'carol']) {
      const ids = await idsOf(
        clients[name]!,
        sent.findLast((_, i) => i % 3 === (name === 'phone' ? 1 : 2))!,
      );
      expect(ids).toEqual(sent.filter((id) => ids.includes(id)));
    }
  });
});

describe('tenants', () => {
  beforeAll(async () => {
    ara = await AraProcess.start({ TENANT_ENABLED: 'true' });
  });
  afterAll(() => ara.stop());

  it('never hear of each other', async () => {
    const open = (tenant: string): Promise<[WsClient, SseClient]> =>
      Promise.all([ara.ws('alice', { tenant_id: tenant }), ara.sse('alice', { tenant_id: tenant })]);
    const [acme, other] = [await open('acme'), await open('other')];
    for (const [client] of [acme, other])
      expect(await client.subscribe('orders')).toMatchObject({ payload: ['orders'] });
    const sent: string[] = [];
    for (const [path, body] of [
      ['send', { target_user_id: 'alice' }],
      ['send-to-users', { target_user_ids: ['alice'] }],
      ['broadcast', {}],
      ['broadcast', { audience: { type: 'Channels', value: ['orders'] } }],
      ['channel', { channel: 'orders' }],
      ['channels', { channels: ['orders', 'acme:orders', 'other:orders'] }],
    ] as const) {
      sent.push((await post(path, body, { 'x-tenant-id': 'acme' })).notification_id);
    }
    const { notification_id: last, delivered_to } = await post('broadcast', {}, { 'x-tenant-id': 'other' });
    expect(delivered_to).toBe(2);
    for (const client of other) expect(await idsOf(client, last)).toEqual([last]);
    for (const client of acme) {
      const ids = await idsOf(client, sent.at(-1)!);
      expect(ids).toEqual(sent.filter((id) => ids.includes(id)));
      expect(ids.length).toBeGreaterThanOrEqual(5);
    }
  });
});

describe('a reader who lags behind', () => {
  /** Large, for a kernel swallows some 4 MB before a backlog shows. */
  const LARGE = 'x'.repeat(60_000);
  const nameOf = (frame: WsFrame): string => String(frame['event_type']);

  beforeAll(async () => {
    ara = await AraProcess.start();
  });
  afterAll(() => ara.stop());

  async function shed(): Promise<number> {
    return Number(/^ara_messages_failed_total (\d+)$/m.exec((await ara.get('/metrics')).text)?.[1]);
  }

  /** Sends copies, one after the other, until one is refused. */
  async function fill(path: string, body: object): Promise<{ accepted: number }> {
    for (let accepted = 0; accepted < 400; accepted++) {
      const { delivered_to, failed } = await post(path, { payload: LARGE, ...body });
      expect(delivered_to + failed).toBe(1);
      if (failed === 1) return { accepted };
    }
    throw new Error('nothing was ever refused');
  }

  it('gets what is urgent first, then the rest, each priority in its own order', async () => {
    const client = await ara.ws('alice');
    client.pause();
    // Some 7 MB: more than kernels take, less than what ends the connection.
    for (let i = 0; i < 120; i++) {
      await post('send', { target_user_id: 'alice', event_type: `large ${i}`, payload: LARGE });
    }
    const priorities = ['Low', 'Normal', 'High', 'Critical', 'High', 'Low'];
    for (const [i, priority] of priorities.entries()) {
      await post('send', { target_user_id: 'alice', event_type: `${priority} ${i}`, priority });
    }
    client.resume();
    const names: string[] = [];
    while (names.length < 126) names.push(nameOf(await client.notification()));
    expect(names.filter((name) => name.startsWith('large'))).toEqual(
      Array.from({ length: 120 }, (_, i) => `large ${i}`),
    );
    expect(names.filter((name) => !name.startsWith('large'))).toEqual([
      'Critical 3',
      'High 2',
      'High 4',
      'Normal 1',
      'Low 0',
      'Low 5',
    ]);
    expect(names.indexOf('High 4') - names.indexOf('Critical 3')).toBe(2);
    expect(names.indexOf('Critical 3')).toBeLessThan(100);
    expect(names.slice(-3)).toEqual(['Normal 1', 'Low 0', 'Low 5']);
    await client.close();
  });

  it('misses what is for groups, the least urgent first, and nothing that is for its user', async () => {
    const client = await ara.ws('bob');
    await client.subscribe('flood');
    client.pause();
    const before = await shed();

    // The backlog fills with Low ones; Normal ones take their place, and are refused when only their like is left.
    const low = await fill('channel', { channel: 'flood', event_type: 'low', priority: 'Low' });
    const normal = await fill('broadcast', { event_type: 'normal' });
    expect(normal.accepted).toBeGreaterThanOrEqual(2);
    expect(await post('channels', { channels: ['flood'], priority: 'Low', payload: LARGE })).toMatchObject({
      ...{ success: false, delivered_to: 0, failed: 1 },
    });
    const kept = [
      await post('channel', { channel: 'flood', event_type: 'high', priority: 'High', payload: LARGE }),
      await post('broadcast', { event_type: 'critical', priority: 'Critical', payload: LARGE }),
      await post('send', { target_user_id: 'bob', event_type: 'own', priority: 'Low', payload: LARGE }),
      await post('send-to-users', { target_user_ids: ['bob'], event_type: 'own', payload: LARGE }),
    ];
    for (const report of kept) expect(report).toMatchObject({ success: true, delivered_to: 1, failed: 0 });

    const dropped = (await shed()) - before - 3;
    expect(dropped).toBeGreaterThan(0);
    client.resume();
    const expected = low.accepted + normal.accepted + kept.length - dropped;
    const names: string[] = [];
    while (names.length < expected) names.push(nameOf(await client.notification()));
    expect(await client.settled()).toEqual([]);
    const count = (wanted: string): number => names.filter((name) => name === wanted).length;
    expect([count('high'), count('critical'), count('own')]).toEqual([1, 1, 2]);
    expect(names.at(-1)).toBe('own');

    // It has caught up: nothing is withheld any more.
    expect(await post('broadcast', { priority: 'Low' })).toMatchObject({ delivered_to: 1, failed: 0 });
    await client.notification();
    await client.close();
  });

  it('is cut off in the middle of a broadcast without harm to those behind', async () => {
    const stalled = await ara.ws('stalled');
    const readers = await Promise.all(['a', 'b', 'c'].map((user) => ara.ws(user)));
    stalled.pause();
    const sent: string[] = [];
    for (let failed = 0; failed === 0 && sent.length < 400;) {
      const report = await post('broadcast', { priority: 'High', payload: LARGE });
      expect(report.delivered_to + report.failed).toBe(4);
      expect(report.delivered_to).toBeGreaterThanOrEqual(3);
      failed = report.failed;
      sent.push(report.notification_id);
    }
    expect(sent.length).toBeLessThan(400);
    for (const reader of readers) expect(await idsOf(reader, sent.at(-1)!)).toEqual(sent);
    stalled.resume();
    expect((await stalled.closed).code).toBe(1013);
    await Promise.all(readers.map((reader) => reader.close()));
  });

  it.each(['WebSocket', 'stream'])('for more than 8 MiB is ended at once, a %s', async (kind) => {
    const client = kind === 'stream' ? await ara.sse('carol') : await ara.ws('carol');
    client.pause();
    let accepted = 0;
    for (let round = 0; round < 40; round++) {
      const copies = Array.from({ length: 10 }, () => post('send', { target_user_id: 'carol', payload: LARGE }));
      for (const { delivered_to } of await Promise.all(copies)) accepted += delivered_to;
    }
    expect(accepted).toBeLessThan(400);
    expect(accepted * LARGE.length).toBeGreaterThan(8 * 1024 * 1024);
    client.resume();
    if ('ended' in client) await client.ended;
    else expect(await client.closed).toEqual({ code: 1013, reason: 'Reader too slow' });
    await until('it is forgotten', async () => (await ara.get('/api/v1/users/carol/subscriptions')).status === 404);
    expect(client.inbox.all.length).toBeLessThan(accepted);
  });
});
