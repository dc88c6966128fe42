import { Redis } from 'ioredis';
import { AraProcess, type Env } from '../support/ara-process';
import type { HttpAnswer, HttpRequest } from '../support/http';
import { OtlpReceiver } from '../support/otlp-receiver';
import { PostgresServer } from '../support/postgres-server';
import { type RedisServer, startRedis } from '../support/redis-server';
import { repeats } from '../support/repeats';
import { StreamRefused } from '../support/sse-client';
import { inSeconds, tokenFor } from '../support/tokens';
import { until } from '../support/until';
import { UpgradeRefused, WsClient } from '../support/ws-client';

// Secrets that stand nowhere else are used thousands of times, above all where something fails. Each repeats six
// characters, so that a piece which an error message quotes is found as well as the whole.

const MARKS = {
  payload: 'Zq7pWx',
  token: 'Kx9vRt',
  wrongKey: 'Hj4mYd',
  apiKey: 'Vn8kQs',
  jwtSecret: 'Bg5wLc',
  metricsToken: 'Tf6rNz',
  redisPassword: 'Pd2hXv',
  postgresPassword: 'Mc3jKw',
} as const;
const SECRET = Object.fromEntries(Object.entries(MARKS).map(([name, mark]) => [name, mark.repeat(8)])) as Record<
  keyof typeof MARKS,
  string
>;
const ROUNDS = repeats(100);
const LIMIT_MS = 120_000;
const NOTIFICATIONS = '/api/v1/notifications';
const content = { event_type: 'e', payload: { secret: SECRET.payload } };

/** Which of the secrets stand in a text. */
function leaksIn(text: string): string[] {
  return Object.entries(MARKS).flatMap(([name, mark]) => {
    const at = text.indexOf(mark);
    return at === -1 ? [] : [`${name}: …${text.slice(Math.max(0, at - 200), at + 60)}…`];
  });
}

let redis: RedisServer;
let postgres: PostgresServer;
let receiver: OtlpReceiver;
const running: AraProcess[] = [];

beforeAll(async () => {
  redis = await startRedis();
  postgres = await PostgresServer.start();
  receiver = await OtlpReceiver.start();
}, LIMIT_MS);

afterAll(async () => {
  await Promise.all(running.map((ara) => ara.kill9()));
  receiver.stop();
  await redis.close();
  await postgres.stop();
});

const secrets = (): Env => ({
  LOG_LEVEL: 'trace',
  RUST_LOG_FORMAT: 'json',
  API_KEY: SECRET.apiKey,
  JWT_SECRET: SECRET.jwtSecret,
  METRICS_TOKEN: SECRET.metricsToken,
  REDIS_URL: `redis://default:${SECRET.redisPassword}@127.0.0.1:${redis.port}`,
  DATABASE_URL: postgres.url.replace('postgres@', `postgres:${SECRET.postgresPassword}@`),
  OTEL_ENABLED: 'true',
  OTEL_ENDPOINT: receiver.endpoint,
});

/** Requests that end in every way that a request can; each carries a secret. */
const requests: readonly (readonly [string, string, HttpRequest])[] = [
  ['POST', `${NOTIFICATIONS}/send`, { body: { target_user_id: 'alice', ...content } }],
  ['POST', `${NOTIFICATIONS}/send`, { body: { target_user_id: 'away', ...content } }],
  ['POST', `${NOTIFICATIONS}/broadcast`, { body: { ...content, audience: { type: SECRET.payload } } }],
  ['POST', `${NOTIFICATIONS}/send`, { body: { target_user_id: 7, ...content } }],
  ['POST', `${NOTIFICATIONS}/send`, { body: { ...content, priority: SECRET.payload, target_user_id: 'alice' } }],
  ['POST', `${NOTIFICATIONS}/send`, json(`{"target_user_id":"alice","payload":${SECRET.payload}`)],
  ['POST', `${NOTIFICATIONS}/send`, json(`${SECRET.payload}{}`)],
  ['POST', `${NOTIFICATIONS}/send`, json(`{"a":"${SECRET.payload}"} trailing`)],
  ['POST', `${NOTIFICATIONS}/send`, json(`${'['.repeat(70)}"${SECRET.payload}"${']'.repeat(70)}`)],
  ['POST', `${NOTIFICATIONS}/send`, json(`"${SECRET.payload.repeat(2_000)}"`)],
  ['POST', `${NOTIFICATIONS}/send`, { body: SECRET.payload, headers: { 'content-type': 'text/plain' } }],
  [
    'POST',
    `${NOTIFICATIONS}/send`,
    { body: { target_user_id: 'alice', template_id: 't', variables: [SECRET.payload] } },
  ],
  [
    'POST',
    `${NOTIFICATIONS}/send`,
    { body: { target_user_id: 'alice', template_id: 't', variables: { v: SECRET.payload } } },
  ],
  ['POST', `${NOTIFICATIONS}/send-to-users`, { body: { target_user_ids: ['alice', 'away'], ...content } }],
  ['POST', `${NOTIFICATIONS}/channels`, { body: { channels: Array(101).fill('c'), ...content } }],
  [
    'POST',
    `${NOTIFICATIONS}/batch`,
    { body: { notifications: [{ target: { type: 'user', value: 'away' }, ...content }] } },
  ],
  ['POST', `${NOTIFICATIONS}/batch`, { body: { notifications: [{ target: { type: 'user' }, ...content }] } }],
  [
    'POST',
    `${NOTIFICATIONS}/batch`,
    { body: { notifications: [{ target: { type: 'user', value: 'x' }, ...content }], atomic: true } },
  ],
  [
    'POST',
    '/api/v1/templates',
    { body: { id: 't', name: 'T', event_type: 'e', payload_template: { p: SECRET.payload, v: '{{v}}' } } },
  ],
  ['PUT', '/api/v1/templates/none', { body: { payload_template: { p: SECRET.payload } } }],
  ['GET', '/stats', { headers: { 'x-api-key': SECRET.wrongKey } }],
  ['GET', '/stats', { headers: { 'x-api-key': '', authorization: `Bearer ${SECRET.token}` } }],
  ['GET', `/nowhere?token=${SECRET.token}`, {}],
  ['DELETE', `${NOTIFICATIONS}/send?api_key=${SECRET.wrongKey}`, { headers: { 'x-api-key': SECRET.wrongKey } }],
  ['DELETE', `${NOTIFICATIONS}/send?token=${SECRET.token}`, {}],
  ['GET', '/metrics', { headers: { authorization: `Bearer ${SECRET.wrongKey}` } }],
  ['GET', `/sse?token=${SECRET.token}`, {}],
  ['GET', '/sse', { headers: { authorization: `Bearer ${SECRET.token}` } }],
  ['GET', `/ws?token=${SECRET.token}`, {}],
  ['GET', `/sse?token=${SECRET.token}&token=${SECRET.token}`, {}],
];

function json(body: string): HttpRequest {
  return { body, headers: { 'content-type': 'application/json' } };
}

/** Wrong tokens by every way that a token can come, in handshakes. */
async function handshakes(ara: AraProcess, answers: string[]): Promise<void> {
  const base = `${ara.url.replace('http', 'ws')}/ws`;
  const late = tokenFor('alice', { exp: inSeconds(-3600), note: SECRET.token }, SECRET.jwtSecret);
  for (const [url, options] of [
    [`${base}?token=${SECRET.token}`, {}],
    [`${base}?token=${late}`, {}],
    [base, { headers: { authorization: `Bearer ${SECRET.token}` } }],
    [base, { protocols: ['bearer', SECRET.token] }],
    [`${ara.url.replace('http', 'ws')}/elsewhere?token=${SECRET.token}`, {}],
  ] as const) {
    const refused: unknown = await WsClient.connect(url, {
      ...options,
      protocols: [...('protocols' in options ? options.protocols : [])],
    }).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(UpgradeRefused);
    const { text, headers } = refused as UpgradeRefused;
    answers.push(text, JSON.stringify(headers));
  }
  await expect(ara.sse('alice', { exp: inSeconds(-3600) })).rejects.toThrow(StreamRefused);
}

/** What a client may say wrong; the frames that answer it. */
async function nonsense(client: WsClient, answers: string[]): Promise<void> {
  for (const message of [
    SECRET.payload,
    `{"type":"${SECRET.payload}"}`,
    `{"type":"Subscribe","payload":"${SECRET.payload}"}`,
    `{"type":"Ack","payload":{"notification_id":"${SECRET.payload}"}}`,
    `{"type":"Ping","payload":{"token":"${SECRET.token}"}} ${SECRET.payload}`,
    `${'['.repeat(70)}"${SECRET.payload}"`,
    Buffer.from(SECRET.payload),
  ]) {
    client.send(message);
    answers.push((await client.next('error')).text);
  }
}

const answerText = ({ headers, text }: HttpAnswer): string => `${JSON.stringify(headers)}\n${text}`;

describe.each([
  ['in Redis', 'redis', 'true'],
  ['in PostgreSQL', 'postgres', 'false'],
])('with the stores %s', (_, backend, fastPath) => {
  it(
    'no secret stands in logs, spans, metrics or answers',
    async () => {
      const ara = await AraProcess.start({
        ...secrets(),
        QUEUE_ENABLED: 'true',
        QUEUE_BACKEND: backend,
        ACK_ENABLED: 'true',
        ACK_BACKEND: backend,
        TEMPLATE_BACKEND: backend,
        HTTP_FAST_PATH: fastPath,
        STORE_TIMEOUT_MS: '300',
      });
      running.push(ara);
      const publisher = new Redis(redis.url);
      publisher.on('error', () => undefined);
      const answers: string[] = [];
      const statuses = new Set<number>();
      const round = async (): Promise<void> => {
        for (const [method, path, options] of requests) {
          const answer = await ara.http(method, path, options);
          statuses.add(answer.status);
          // What creates a template answers with it.
          if (!path.startsWith('/api/v1/templates')) answers.push(answerText(answer));
        }
      };
      const alice = await ara.ws('alice');
      for (let n = 0; n < ROUNDS; n++) await round();
      for (let n = 0; n < ROUNDS / 10; n++) {
        await handshakes(ara, answers);
        await nonsense(alice, answers);
        await publisher.publish('notification:user:alice', SECRET.payload);
        await publisher.publish(
          'notification:user:alice',
          JSON.stringify({ type: 'user', target: 'alice', event: content }),
        );
        await publisher.publish('notification:broadcast', JSON.stringify({ type: SECRET.payload, event: content }));
      }

      // A store that hangs, then one that is gone: clients of databases hang the failed command on their errors.
      const store = backend === 'redis' ? redis : postgres;
      store.pause();
      await round();
      if (store === redis) await redis.kill9();
      store.resume();
      await round();
      if (store === redis) await redis.start();
      await until('it is ready again', async () => (await ara.get('/health/ready')).status === 200, 15_000);
      await until('it stores again', async () => (await ara.http(...requests[1]!)).status === 200, 15_000);
      const metrics = await ara.get('/metrics', { authorization: `Bearer ${SECRET.metricsToken}` });
      expect(metrics.text).toContain('ara_messages_sent_total');
      await ara.stop();
      publisher.disconnect();

      // It did fail in all these ways, and said so.
      expect([...statuses].sort()).toEqual(expect.arrayContaining([200, 400, 401, 404, 405, 409, 413, 415, 422, 503]));
      expect(receiver.named('http.send_notification').length).toBeGreaterThan(ROUNDS * 3);
      expect(ara.output).toContain('"level":"debug"');
      expect(leaksIn(ara.output)).toEqual([]);
      expect(leaksIn(JSON.stringify(receiver.spans))).toEqual([]);
      expect(leaksIn(metrics.text)).toEqual([]);
      expect(leaksIn(answers.join('\n'))).toEqual([]);
    },
    LIMIT_MS,
  );
});

it.each<[string, Env]>([
  ['a Redis that refuses the password', { REDIS_URL: `redis://nobody:${SECRET.redisPassword}@HOST` }],
  [
    'no PostgreSQL there',
    {
      QUEUE_ENABLED: 'true',
      QUEUE_BACKEND: 'postgres',
      DATABASE_URL: `postgres://u:${SECRET.postgresPassword}@127.0.0.1:1/d`,
    },
  ],
  [
    'no Redis there',
    { QUEUE_ENABLED: 'true', QUEUE_BACKEND: 'redis', REDIS_URL: `redis://u:${SECRET.redisPassword}@127.0.0.1:1` },
  ],
  [
    'an address that is none',
    { DATABASE_URL: `postgres//u:${SECRET.postgresPassword}@h`, REDIS_URL: `http://u:${SECRET.redisPassword}@h` },
  ],
  ['secrets that are too short', { RUN_MODE: 'production', JWT_SECRET: MARKS.jwtSecret, API_KEY: MARKS.apiKey }],
  ['secrets where numbers are meant', { SERVER_PORT: SECRET.apiKey, QUEUE_BACKEND: SECRET.jwtSecret }],
])('a start with %s tells no secret', async (_, env) => {
  const full = { ...secrets(), STORE_BOOT_TIMEOUT_SECONDS: '1', ...env };
  const ara = await AraProcess.launch(
    Object.fromEntries(
      Object.entries(full).map(([name, value]) => [name, value.replace('HOST', `127.0.0.1:${redis.port}`)]),
    ),
  );
  await until('it speaks', () => ara.output.length > 0, 15_000);
  await Promise.race([ara.exited, new Promise((resolve) => setTimeout(resolve, 3_000))]);
  if (!ara.hasExited) await ara.stop();
  expect(leaksIn(ara.output)).toEqual([]);
});
