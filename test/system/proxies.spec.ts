import { readFileSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { AraProcess } from '../support/ara-process';
import { freePort } from '../support/free-port';
import { http } from '../support/http';
import { DEPLOY } from '../support/operator-files';
import { Proxy, sampleOf } from '../support/proxy';
import { SseClient } from '../support/sse-client';
import { TEST_API_KEY, tokenFor } from '../support/tokens';
import { until } from '../support/until';
import { WsClient } from '../support/ws-client';

// nginx and Caddy, set up as docs/deployment.md says, in front of a service.

/** Longer than the 60 seconds after which proxies cut a silent connection unless told otherwise. */
const SILENT_MS = 65_000;
/** Of one address. */
const CONNECTIONS_PER_MINUTE = 60;
const content = { event_type: 'order.created', payload: { n: 1 } };

let ara: AraProcess;
/** Two behind each proxy, and when the last of them was heard. */
let silent: (WsClient | SseClient)[];
let silentSince: number;
const proxies = new Map<string, Proxy>();
const proxy = (name: string): Proxy => proxies.get(name)!;

beforeAll(async () => {
  ara = await AraProcess.start({
    TRUST_PROXY: '1',
    // Nothing that would keep a connection alive.
    WEBSOCKET_HEARTBEAT_INTERVAL: '1000',
    WEBSOCKET_CONNECTION_TIMEOUT: '3000',
    WEBSOCKET_MAX_CONNECTIONS_PER_USER: '0',
    RATELIMIT_ENABLED: 'true',
    RATELIMIT_HTTP_BURST_SIZE: '10000',
    RATELIMIT_WS_CONNECTIONS_PER_MINUTE: String(CONNECTIONS_PER_MINUTE),
  });
  const address = ara.url.replace('http://', '');
  proxies.set('nginx', await Proxy.nginx([address])).set('Caddy', await Proxy.caddy(address));
  silent = await Promise.all([...proxies.values()].flatMap(({ url }) => [ws(url, 'silent'), sse(url, 'silent')]));
  for (const client of silent) if (client instanceof SseClient) await client.next('connected');
  silentSince = Date.now();
}, 90_000);

afterAll(async () => {
  await Promise.all([...proxies.values()].map((one) => one.stop()));
  await ara.stop();
});

const ws = (base: string, user: string): Promise<WsClient> =>
  WsClient.connect(`${base.replace('http', 'ws')}/ws?token=${tokenFor(user)}`);
const sse = (base: string, user: string): Promise<SseClient> =>
  SseClient.connect(`${base}/sse?token=${tokenFor(user)}`);
const post = (base: string, path: string, body: unknown, headers = {}): ReturnType<typeof http> =>
  http('POST', base, path, { body, headers: { 'x-api-key': TEST_API_KEY, ...headers } });

describe.each(['nginx', 'Caddy'])('through %s', (name) => {
  it('a WebSocket speaks in both directions', async () => {
    const { url } = proxy(name);
    const alice = await ws(url, 'alice');
    await alice.subscribe('news');
    await post(url, '/api/v1/notifications/channel', { channel: 'news', ...content });
    expect(await alice.notification()).toMatchObject(content);
    alice.socket.close(1000);
    expect((await alice.closed).code).toBe(1000);
  });

  it('SSE events arrive one by one, the first at once', async () => {
    const { url } = proxy(name);
    const bob = await sse(url, `bob-${name}`);
    expect(bob.headers['content-type']).toContain('text/event-stream');
    await bob.next('connected');
    for (const n of [1, 2, 3]) {
      await post(url, '/api/v1/notifications/send', { target_user_id: `bob-${name}`, event_type: 'e', payload: { n } });
      // The next is not sent before this one has come.
      expect(await bob.notification()).toMatchObject({ payload: { n } });
    }
    await bob.close();
    await until('Ara knows that the client has gone', async () => {
      return (await ara.get(`/api/v1/users/bob-${name}/subscriptions`)).status === 404;
    });
  });

  it('errors keep their status, headers and body', async () => {
    const { url } = proxy(name);
    const unknown = await post(url, '/api/v1/notifications/send', content, { 'x-api-key': 'another' });
    expect(unknown.status).toBe(401);
    expect(unknown.json()).toMatchObject({ error: { code: 'UNAUTHORIZED' } });
    expect(unknown.headers['x-ratelimit-limit']).toBeDefined();
    await expect(WsClient.connect(`${url.replace('http', 'ws')}/ws?token=x`)).rejects.toMatchObject({ status: 401 });
  });

  it('the largest body gets in, a larger one gets the answer of Ara', async () => {
    const { url } = proxy(name);
    const item = { target: { type: 'user', value: 'nobody' }, event_type: 'e', payload: { text: 'x'.repeat(10_000) } };
    const batch = await post(url, '/api/v1/notifications/batch', { notifications: Array(100).fill(item) });
    expect(batch.json()).toMatchObject({ summary: { total: 100 } });
    const large = { target_user_id: 'a', event_type: 'e', payload: { text: 'x'.repeat(70_000) } };
    const refused = await post(url, '/api/v1/notifications/send', large);
    expect(refused.status).toBe(413);
    expect(refused.json()).toHaveProperty('error.code');
  });

  it('Ara sees whose request it is, whatever the client claims', async () => {
    const attempts = [...Array(2 * CONNECTIONS_PER_MINUTE).keys()];
    const { url } = proxy(name);
    const liar = name === 'nginx' ? '127.0.2.1' : '127.0.2.2';
    const believed = await Promise.all(attempts.map((n) => attempt(url, liar, `203.0.113.${n}`)));
    expect(new Set(believed)).toEqual(new Set([401, 429]));
    const network = name === 'nginx' ? '127.0.3' : '127.0.4';
    const others = await Promise.all(attempts.map((n) => attempt(url, `${network}.${n + 1}`)));
    expect(new Set(others)).toEqual(new Set([401]));
  });
});

/** The status of a connection with a bad token from this address of the machine: 401, or 429 beyond the rate. */
function attempt(base: string, localAddress: string, claimed?: string): Promise<number> {
  const headers = claimed === undefined ? {} : { 'x-forwarded-for': claimed };
  return new Promise((resolve, reject) => {
    get(`${base}/sse?token=x`, { localAddress, headers, agent: false }, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    }).on('error', reject);
  });
}

describe('connections that nobody says anything on', () => {
  it('are still there after a minute', async () => {
    await new Promise((resolve) => setTimeout(resolve, silentSince + SILENT_MS - Date.now()));
    const answer = await post(ara.url, '/api/v1/notifications/send', { target_user_id: 'silent', ...content });
    expect(answer.json()).toMatchObject({ delivered_to: 4 });
    for (const client of silent) await client.notification();
  }, 120_000);
});

describe('the nginx of docker-compose.yml', () => {
  const config = readFileSync(join(DEPLOY, 'nginx/nginx.conf'), 'utf8');
  const essence = (text: string): string => text.replace(/^ *(server \S+:8081 .*|# With TLS.*)\n/gm, '');

  it('is the one of the page', () => {
    expect(essence(config).trim()).toBe(essence(sampleOf('nginx')).trim());
    expect([...config.matchAll(/server (\S+):8081/g)].map(([, host]) => host)).toEqual([
      'notification',
      'notification-2',
      'notification-3',
    ]);
  });

  it('goes on with the nodes that are left', async () => {
    const gone = [`127.0.0.1:${await freePort()}`, `127.0.0.1:${await freePort()}`];
    const nginx = await Proxy.nginx([...gone, ara.url.replace('http://', '')], config);
    try {
      for (let n = 0; n < 6; n++) {
        const client = await ws(nginx.url, 'carol');
        client.socket.close();
        expect(
          (await post(nginx.url, '/api/v1/notifications/send', { target_user_id: 'dave', ...content })).status,
        ).toBe(200);
      }
    } finally {
      await nginx.stop();
    }
  });
});
