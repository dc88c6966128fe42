import { until } from '../support/until';
import { CONTENT, notificationsOf, TestCluster } from '../support/test-cluster';

// One queue for all nodes: kept once, replayed anywhere, given up only when somebody really has it.

jest.setTimeout(120_000);

let cluster: TestCluster;

beforeAll(async () => {
  cluster = await TestCluster.start({
    QUEUE_ENABLED: 'true',
    QUEUE_BACKEND: 'redis',
    ACK_ENABLED: 'true',
    ACK_BACKEND: 'redis',
    QUEUE_MAX_SIZE_PER_USER: '1000',
    CLUSTER_DELIVERY_WAIT_MS: '1000',
  });
});

afterAll(() => cluster.stop());

async function kept(): Promise<number> {
  const { text } = await cluster.node(0).get('/metrics');
  return Number(/^ara_queue_size_total (\d+)$/m.exec(text)?.[1]);
}

const sendTo = async (node: number, user: string): Promise<Record<string, unknown>> =>
  (await cluster.node(node).post('/api/v1/notifications/send', { ...CONTENT, target_user_id: user })).json();

it('what came in at one node is replayed by another, and acknowledged at a third', async () => {
  const sent = await sendTo(0, 'away');
  expect(sent).toMatchObject({ success: true, queued: true, delivered_to: 0 });
  const first = await cluster.node(1).ws('away');
  expect((await first.notification())['id']).toBe(sent['notification_id']);
  const second = await cluster.node(2).ws('away');
  expect((await second.notification())['id']).toBe(sent['notification_id']);
  second.send({ type: 'Ack', payload: { notification_id: sent['notification_id'] } });
  expect((await second.next('acked'))['notification_id']).toBe(sent['notification_id']);
  const third = await cluster.node(0).ws('away');
  expect(notificationsOf(await third.settled())).toEqual([]);
  await Promise.all([first.close(), second.close(), third.close()]);
});

it('a stream on one node does not settle what a WebSocket on another may acknowledge', async () => {
  const stream = await cluster.node(0).sse('both');
  const socket = await cluster.node(1).ws('both');
  await Promise.all([stream.next('connected'), socket.settled()]);
  for (const node of [0, 1, 2]) {
    const sent = await sendTo(node, 'both');
    expect(sent).toMatchObject({ delivered_to: 2, queued: false });
    await Promise.all([stream.notification(), socket.notification()]);
    await new Promise((resolve) => setTimeout(resolve, 300));
    // Not acknowledged: whoever comes next gets it.
    const next = await cluster.node(2).ws('both');
    expect((await next.notification())['id']).toBe(sent['notification_id']);
    socket.send({ type: 'Ack', payload: { notification_id: sent['notification_id'] } });
    await socket.next('acked');
    await next.close();
  }
  await socket.close();
  const alone = await sendTo(1, 'both');
  expect(alone).toMatchObject({ delivered_to: 1 });
  await stream.notification();
  await until('the stream alone settles it', async () => (await kept()) === 0);
  await stream.close();
});

it('who connects while notifications come in from everywhere misses none and gets none twice', async () => {
  const total = 150;
  const sending = (async () => {
    for (let n = 0; n < total; n++) await sendTo(n % 3, 'joiner');
  })();
  await new Promise((resolve) => setTimeout(resolve, 100));
  const clients = await Promise.all([0, 1, 2].map((node) => cluster.node(node).ws('joiner')));
  await sending;
  for (const client of clients) {
    const ids = await until('all have arrived', async () => {
      await client.settled();
      const got = client.inbox.all.filter(({ type }) => type === 'notification').map(({ id }) => id);
      return got.length >= total && got;
    });
    expect(ids).toHaveLength(total);
    expect(new Set(ids).size).toBe(total);
  }
  await Promise.all(clients.map((client) => client.close()));
});

it('a node that hangs holds nobody up for longer than CLUSTER_DELIVERY_WAIT_MS, and its user gets it once', async () => {
  const client = await cluster.node(2).ws('patient');
  await client.settled();
  cluster.node(2).child.kill('SIGSTOP');
  const askedAt = Date.now();
  const sent = await sendTo(0, 'patient');
  expect(Date.now() - askedAt).toBeLessThan(2_000);
  // Nobody knows whether it arrived; it is kept in any case.
  expect(sent).toMatchObject({ success: true, delivered_to: 0, queued: true });
  cluster.node(2).child.kill('SIGCONT');
  expect((await client.notification())['id']).toBe(sent['notification_id']);
  client.send({ type: 'Ack', payload: { notification_id: sent['notification_id'] } });
  await client.next('acked');
  // Longer than the interval in which nodes look for what was not delivered.
  await new Promise((resolve) => setTimeout(resolve, 5_000));
  expect(notificationsOf(await client.settled())).toEqual([]);
  await client.close();
});
