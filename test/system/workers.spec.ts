import { readFileSync } from 'node:fs';
import { Redis } from 'ioredis';
import { AraProcess, type Env } from '../support/ara-process';
import { freePort } from '../support/free-port';
import { scrape } from '../support/metrics';
import { type RedisServer, startRedis } from '../support/redis-server';
import { counted, CONTENT } from '../support/test-cluster';
import { until } from '../support/until';
import type { WsClient } from '../support/ws-client';

// Two processes on one port: whoever asks cannot tell which of them answers, and none is missed when it dies.

jest.setTimeout(120_000);

const SLOW_MS = 30_000;

let redis: RedisServer;

beforeAll(async () => {
  redis = await startRedis();
});

afterAll(() => redis.close());

function envOf(env: Env = {}): Env {
  return {
    WORKERS: '2',
    CLUSTER_ENABLED: 'true',
    CLUSTER_NODE_ID: 'node-1',
    CLUSTER_ROUTING_CHANNEL: `route-${Math.random()}`,
    CLUSTER_SESSION_PREFIX: `sessions-${Math.random()}`,
    REDIS_URL: redis.url,
    CLUSTER_DELIVERY_WAIT_MS: '2000',
    ...env,
  };
}

/** The workers' process ids, as the kernel knows them. */
function workersOf(ara: AraProcess): number[] {
  const { pid } = ara.child;
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return children
    .split(' ')
    .filter((text) => text !== '')
    .map(Number);
}

function isAlive(pid: number): boolean {
  try {
    // A zombie has no command line.
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8') !== '';
  } catch {
    return false;
  }
}

async function stats(ara: AraProcess, path = '/stats'): Promise<Record<string, Record<string, unknown>>> {
  return (await ara.get(path)).json<Record<string, Record<string, unknown>>>();
}

async function figure(ara: AraProcess, series: string): Promise<number | undefined> {
  return (await scrape(ara)).find((sample) => sample.series === series)?.value;
}

/** Which worker each client is connected to. */
async function nodesOf(ara: AraProcess, user: string): Promise<string[]> {
  const location = await ara.get(`/api/v1/cluster/users/${user}`);
  const { sessions } = location.json<{ sessions: { server_id: string }[] }>();
  return sessions.map(({ server_id }) => server_id).sort();
}

describe('two workers', () => {
  let ara: AraProcess;
  let clients: WsClient[];

  beforeAll(async () => {
    ara = await AraProcess.start(
      envOf({
        WEBSOCKET_MAX_CONNECTIONS: '6',
        ACK_ENABLED: 'true',
        ACK_BACKEND: 'redis',
        QUEUE_ENABLED: 'true',
        QUEUE_BACKEND: 'redis',
        METRICS_PORT: String(await freePort()),
        METRICS_TOKEN: 'a-token-of-the-tests',
      }),
    );
    clients = [];
    // One after the other, so that they are dealt out in turn: "both" ends up on either worker.
    for (const user of ['both', 'both', 'a', 'b']) {
      const client = await ara.ws(user);
      await client.settled();
      clients.push(client);
    }
    await clients[0]!.subscribe('news', 'one');
    await clients[1]!.subscribe('news');
  });

  afterAll(() => ara.stop());

  const metrics = async (): Promise<string> => {
    const answer = await fetch(`http://127.0.0.1:${ara.env['METRICS_PORT']!}/metrics`, {
      headers: { authorization: 'Bearer a-token-of-the-tests' },
    });
    return answer.text();
  };

  it('share the connections', async () => {
    expect(workersOf(ara)).toHaveLength(2);
    expect(await nodesOf(ara, 'both')).toEqual(['node-1-w1', 'node-1-w2']);
  });

  it('reach everybody, whatever the target', async () => {
    const send = async (path: string, body: object) =>
      (await ara.post(`/api/v1/notifications/${path}`, { ...CONTENT, ...body })).json();
    for (let worker = 0; worker < 2; worker++) {
      expect(await send('send', { target_user_id: 'both' })).toMatchObject({ delivered_to: 2 });
      expect(await send('send-to-users', { target_user_ids: ['a', 'b'] })).toMatchObject({ delivered_to: 2 });
      expect(await send('broadcast', {})).toMatchObject({ delivered_to: 4 });
      expect(await send('channel', { channel: 'news' })).toMatchObject({ delivered_to: 2 });
    }
    expect(await counted(clients)).toEqual([6, 6, 4, 4]);
  });

  it('answer /health, /stats and /metrics for the whole, whichever is asked', async () => {
    for (let worker = 0; worker < 3; worker++) {
      expect(await stats(ara, '/health')).toMatchObject({
        connections: { total: 4, unique_users: 3, channels_count: 2 },
        cluster: { server_id: 'node-1' },
      });
      expect(await stats(ara)).toMatchObject({
        connections: { total_connections: 4, unique_users: 3, channels: { news: 2, one: 1 } },
        notifications: {
          total_sent: 8,
          total_delivered: 20,
          user_notifications: 4,
          broadcast_notifications: 2,
          channel_notifications: 2,
        },
        ack: { enabled: true },
      });
      expect(await stats(ara, '/api/v1/stats')).toMatchObject({
        connections: { total: 4, websocket: 4, sse: 0 },
        users: { connected: 3, with_multiple_connections: 1 },
        channels: { active: 2, total_subscriptions: 3 },
        messages: { sent_today: 8, delivered_today: 20 },
      });
      const text = await metrics();
      for (const line of [
        'ara_connections_total 4',
        'ara_users_connected 3',
        'ara_channels_active 2',
        'ara_channel_subscriptions{channel="news"} 2',
        'ara_ws_connections_opened_total 4',
        'ara_messages_sent_total{target="user"} 2',
        'ara_messages_delivered_total 20',
        'ara_cluster_connections_total 4',
        'ara_cluster_enabled 1',
        'ara_redis_connection_status 1',
        // Nobody acknowledges: what two sends kept for one user, and two for two.
        'ara_queue_size_total 6',
      ]) {
        expect(text).toContain(`\n${line}\n`);
      }
      expect(text.match(/^# TYPE ara_connections_total /gm)).toHaveLength(1);
      expect(text).toMatch(/^nodejs_eventloop_lag_p99_seconds \d/m);
      expect(text).toMatch(/^process_start_time_seconds \d/m);
    }
    expect((await ara.get('/metrics')).status).toBe(404);
  });

  it('hold one limit together', async () => {
    const more = [await ara.ws('c'), await ara.ws('d')];
    for (const client of more) await client.settled();
    for (const attempt of [await ara.ws('e'), await ara.ws('f')]) {
      expect(await attempt.next('error')).toMatchObject({
        code: 'CONNECTION_LIMIT',
        message: 'Total connection limit exceeded (6/6)',
      });
    }
    await Promise.all(more.map((client) => client.close()));
    await until('places are free', async () => {
      const again = await ara.ws('g');
      return again.settled().then(
        () => again.close(),
        () => false,
      );
    });
  });

  it('say in each line of the log which of them speaks, and welcome once', () => {
    expect(ara.output).toContain('[1] ');
    expect(ara.output).toContain('[2] ');
    expect(ara.output.match(/Ara is ready/g)).toHaveLength(1);
  });

  it('still show their metrics while Redis is away', async () => {
    redis.pause();
    const text = await metrics();
    redis.resume();
    expect(text).toContain('\nara_connections_total 4\n');
  });
});

describe('a worker that is killed', () => {
  it('is replaced, nothing that was counted is lost, and service goes on meanwhile', async () => {
    const ara = await AraProcess.start(envOf({ LOG_FORMAT: 'json' }));
    const clients: WsClient[] = [];
    for (const user of ['a', 'b']) clients.push(await ara.ws(user));
    for (const client of clients) await client.settled();
    for (let worker = 0; worker < 2; worker++) await ara.post('/api/v1/notifications/broadcast', CONTENT);
    expect(await figure(ara, 'ara_messages_delivered_total')).toBe(4);
    expect(await stats(ara)).toMatchObject({ notifications: { total_delivered: 4 } });

    const [victim] = workersOf(ara);
    process.kill(victim!, 'SIGKILL');
    // Of the two clients one was there.
    await Promise.race(clients.map((client) => client.closed));
    const [left] = (
      await Promise.all(
        clients.map(async (client) =>
          (await counted([client]).catch(() => undefined)) === undefined ? undefined : client,
        ),
      )
    ).filter((client) => client !== undefined);
    // A request that was just being handed to the dead one is not answered.
    await until(
      'the other has its connections alone',
      async () => (await figure(ara, 'ara_connections_total')) === 1,
      SLOW_MS,
    );
    expect((await ara.post('/api/v1/notifications/broadcast', CONTENT)).json()).toMatchObject({ delivered_to: 1 });
    await left!.notification();
    await until('there are two again', async () => (await ara.get('/health/ready')).status === 200, SLOW_MS);
    expect(workersOf(ara)).toHaveLength(2);
    expect(workersOf(ara)).not.toContain(victim);
    expect(isAlive(victim!)).toBe(false);
    const back = [await ara.ws('c'), await ara.ws('c')];
    for (const client of back) await client.settled();
    expect(await nodesOf(ara, 'c')).toEqual(['node-1-w1', 'node-1-w2']);
    expect(await figure(ara, 'ara_messages_delivered_total')).toBe(5);
    expect(await figure(ara, 'ara_ws_connections_opened_total')).toBe(4);
    expect(await stats(ara)).toMatchObject({ notifications: { total_delivered: 5 } });
    expect(ara.output).toMatch(/"worker":\d,"worker_pid":\d+,"msg":"Worker \d is gone: it ended by SIGKILL/);
    expect(await ara.stop()).toEqual({ code: 0, signal: null });
  });
});

describe('the end', () => {
  it('drains all, then ends with 0', async () => {
    const ara = await AraProcess.start(envOf());
    const clients = [await ara.ws('a'), await ara.ws('b'), await ara.ws('c'), await ara.ws('d')];
    const stream = await ara.sse('e');
    for (const client of clients) await client.settled();
    const workers = workersOf(ara);
    expect(await ara.stop()).toEqual({ code: 0, signal: null });
    for (const client of clients) {
      expect(client.inbox.all.map(({ type }) => type)).toContain('shutdown');
      expect(await client.closed).toEqual({ code: 1001, reason: 'Server shutting down' });
    }
    await stream.ended;
    expect(workers.filter(isAlive)).toEqual([]);
    const directory = new Redis(redis.url);
    expect(await directory.keys(`${ara.env['CLUSTER_SESSION_PREFIX']!}:*:user:*`)).toEqual([]);
    directory.disconnect();
  });

  it('comes to all processes of a terminal at once, and they still drain', async () => {
    const ara = await AraProcess.start(envOf());
    const client = await ara.ws('a');
    await client.settled();
    for (const pid of workersOf(ara)) process.kill(pid, 'SIGINT');
    expect(await ara.stop('SIGINT')).toEqual({ code: 0, signal: null });
    expect(await client.closed).toEqual({ code: 1001, reason: 'Server shutting down' });
  });

  it('leaves no orphan when the supervisor is killed', async () => {
    const ara = await AraProcess.start(envOf());
    const workers = workersOf(ara);
    expect(workers).toHaveLength(2);
    await ara.kill9();
    await until('the workers are gone', () => workers.every((pid) => !isAlive(pid)), SLOW_MS);
  });
});

describe('the start', () => {
  const refused = async (env: Env): Promise<string> => {
    const ara = await AraProcess.launch(env);
    expect(await ara.exited).toEqual({ code: 78, signal: null });
    return ara.output;
  };

  it('is refused, once and with the way out, where the workers could not act as one', async () => {
    const [alone, memory, limits] = await Promise.all([
      refused({ WORKERS: '2' }),
      refused(envOf({ QUEUE_ENABLED: 'true', ACK_ENABLED: 'true' })),
      refused(envOf({ RATELIMIT_ENABLED: 'true' })),
    ]);
    expect(alone).toContain('WORKERS: more than one process needs the bus of a cluster. Set CLUSTER_ENABLED=true');
    expect(memory).toContain('QUEUE_BACKEND: the nodes of a cluster cannot share memory');
    expect(memory).toContain('ACK_BACKEND: the nodes of a cluster cannot share memory');
    expect(limits).toContain('RATELIMIT_BACKEND: 2 workers cannot count together');
    for (const output of [alone, memory, limits]) expect(output.match(/The configuration has/g)).toHaveLength(1);
  });

  it('fails with 1, and one message, when Redis cannot be reached or the port is taken', async () => {
    const other = await AraProcess.start();
    const [away, taken] = await Promise.all([
      AraProcess.launch(envOf({ REDIS_URL: 'redis://127.0.0.1:1', STORE_BOOT_TIMEOUT_SECONDS: '1' })),
      AraProcess.launch(envOf({ SERVER_PORT: other.env['SERVER_PORT']! })),
    ]);
    expect([await away.exited, await taken.exited]).toEqual([
      { code: 1, signal: null },
      { code: 1, signal: null },
    ]);
    expect(away.output.match(/Ara could not start: .*cannot be reached within 1 s/g)).toHaveLength(1);
    expect(taken.output.match(/Ara could not start: .*EADDRINUSE/g)).toHaveLength(1);
    await other.stop();
  });
});
