import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AraProcess, type Env } from '../support/ara-process';
import { freePort } from '../support/free-port';
import { http } from '../support/http';
import { PostgresServer } from '../support/postgres-server';
import { startRedis, type RedisServer } from '../support/redis-server';
import { tokenFor } from '../support/tokens';
import { WsClient } from '../support/ws-client';

// Several starts on a machine that may be busy.
jest.setTimeout(60_000);

const BAD_CONFIGURATION = 78;
const REPLACED = { JWT_SECRET: 'Vq3Vv0x8TzL1mN5bR7cW9yE2uH4jG6fD', API_KEY: 'kD8wq2Lr5TzX0vBn' };

// Settings as people copy them from documents, to the letter.
const STANDARD = {
  RUN_MODE: 'production',
  JWT_SECRET: 'your-production-secret',
  REDIS_URL: 'redis://redis:6379',
  API_KEY: 'your-api-key',
  QUEUE_ENABLED: 'true',
  RATELIMIT_ENABLED: 'true',
  ACK_ENABLED: 'true',
};
const ENTERPRISE = {
  RUN_MODE: 'production',
  JWT_SECRET: 'your-production-secret',
  API_KEY: 'your-api-key',
  CORS_ORIGINS: 'https://app.example.com',
  TENANT_ENABLED: 'true',
  TENANT_DEFAULT_MAX_CONNECTIONS: '5000',
  CLUSTER_ENABLED: 'true',
  CLUSTER_SESSION_STORE: 'redis',
  QUEUE_ENABLED: 'true',
  QUEUE_BACKEND: 'postgres',
  ACK_ENABLED: 'true',
  ACK_BACKEND: 'postgres',
  DATABASE_URL: 'postgres://user:pass@db/ara',
  RATELIMIT_ENABLED: 'true',
  RATELIMIT_BACKEND: 'redis',
  OTEL_ENABLED: 'true',
  OTEL_ENDPOINT: 'http://otel-collector:4317',
};
const CONTAINER = { JWT_SECRET: 'your-secret', REDIS_URL: 'redis://redis:6379', API_KEY: '' };

/** Starts what must end by itself; gives back its exit code and what it said. */
async function refusal(env: Env): Promise<{ code: number | null; output: string }> {
  const ara = await AraProcess.launch(env);
  const { code } = await ara.exited;
  return { code, output: ara.output };
}

describe('samples of documents as they stand', () => {
  it.each([
    ['standard production', STANDARD, ['JWT_SECRET', 'API_KEY']],
    ['enterprise production', ENTERPRISE, ['JWT_SECRET', 'API_KEY']],
    ['a container for development', CONTAINER, ['JWT_SECRET']],
  ])('%s: refused for its placeholders, and for nothing else', async (_, env, variables) => {
    const { code, output } = await refusal(env);
    expect(code).toBe(BAD_CONFIGURATION);
    expect([...output.matchAll(/^ {2}- (\w+)[ :]/gm)].map(([, variable]) => variable)).toEqual(variables);
    expect(output).not.toMatch(/your-|user:pass/);
  });
});

describe('the same with secrets of their own', () => {
  let ara: AraProcess | undefined;
  const cleanUp: (() => unknown)[] = [];

  afterEach(async () => {
    const exit = await ara?.stop();
    for (const each of cleanUp.splice(0).reverse()) await each();
    ara = undefined;
    expect(exit).toEqual({ code: 0, signal: null });
  });

  it('standard production serves while nobody answers for its Redis, which only triggers need', async () => {
    ara = await AraProcess.start({ ...STANDARD, ...REPLACED });
    const socket = await ara.ws('ann');
    const sent = await ara.post('/api/v1/notifications/send', notification('ann'));
    expect(sent.json()).toMatchObject({ success: true, delivered_to: 1 });
    expect(sent.headers).toHaveProperty('x-ratelimit-limit', '100');
    await socket.next('notification');
    const kept = await ara.post('/api/v1/notifications/send', notification('bob'));
    expect(kept.json()).toMatchObject({ success: true, queued: true, durable: false });

    for (const warning of [
      'CORS_ORIGINS is empty',
      'TRUST_PROXY is empty',
      'QUEUE_BACKEND=memory',
      'SSE_AUTO_SUBSCRIBE',
    ]) {
      expect(ara.output).toMatch(new RegExp(`^warning: .*${warning}`, 'm'));
    }
    expect((await ara.get('/openapi.json')).status).toBe(404);
    expect((await http('GET', ara.url, '/stats')).status).toBe(401);
    expect((await ara.get('/health')).json()).toMatchObject({ status: 'healthy', redis: { connected: false } });
  });

  it('enterprise production keeps for a tenant in PostgreSQL, while nobody collects its traces', async () => {
    const [redis, postgres]: [RedisServer, PostgresServer] = await Promise.all([startRedis(), PostgresServer.start()]);
    cleanUp.push(
      () => redis.stop(),
      () => postgres.stop(),
    );
    ara = await AraProcess.start({ ...ENTERPRISE, ...REPLACED, REDIS_URL: redis.url, DATABASE_URL: postgres.url });
    expect((await ara.post('/api/v1/notifications/send', notification('ann'))).json()).toMatchObject({
      error: { code: 'TENANT_REQUIRED' },
    });
    const kept = await ara.post('/api/v1/notifications/send', notification('ann'), { 'x-tenant-id': 'acme' });
    expect(kept.json()).toMatchObject({ success: true, delivered_to: 0, queued: true, durable: true });
    const socket = await ara.ws('ann', { tenant_id: 'acme' });
    expect(await socket.next('notification')).toMatchObject({
      id: kept.json()['notification_id'],
    });
    expect((await ara.get('/health')).json()).toMatchObject({
      status: 'healthy',
      queue: { backend: 'postgres', durable: true },
      cluster: { enabled: true },
    });
  });

  it('secrets come from mounted files, and both of a rotation open the doors', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'ara-secrets-'));
    cleanUp.push(() => {
      rmSync(folder, { recursive: true });
    });
    const secrets = {
      JWT_SECRET: 'n7Qe2kLw9XzV4bTr6YcU1mHs8DfG3jPa',
      JWT_SECRET_PREVIOUS: REPLACED.JWT_SECRET,
      API_KEY: 'pR5xW9mK2vB7nQ4z',
      API_KEY_PREVIOUS: REPLACED.API_KEY,
    };
    const files = Object.entries(secrets).map(([name, secret]) => {
      const file = join(folder, name.toLowerCase());
      writeFileSync(file, `${secret}\n`);
      chmodSync(file, 0o400);
      return [`${name}_FILE`, file] as const;
    });
    const unset = { JWT_SECRET: '', API_KEY: '' };
    ara = await AraProcess.start({ RUN_MODE: 'prod', DOCS_ENABLED: 'true', ...unset, ...Object.fromEntries(files) });
    for (const path of ['/docs', '/openapi.json', '/asyncapi.json']) {
      expect((await http('GET', ara.url, path)).status).toBe(200);
    }
    const connect = (secret: string): Promise<WsClient> =>
      WsClient.connect(`${ara!.url.replace('http', 'ws')}/ws?token=${tokenFor('ann', {}, secret)}`);
    const sockets = [await connect(secrets.JWT_SECRET), await connect(secrets.JWT_SECRET_PREVIOUS)];
    await expect(connect(`${secrets.JWT_SECRET}\n`)).rejects.toThrow('401');
    for (const key of [secrets.API_KEY, secrets.API_KEY_PREVIOUS]) {
      const sent = await ara.post('/api/v1/notifications/send', notification('ann'), { 'x-api-key': key });
      expect(sent.json()).toMatchObject({ delivered_to: 2 });
    }
    const strange = await ara.post('/api/v1/notifications/send', notification('ann'), { 'x-api-key': 'x'.repeat(16) });
    expect(strange.status).toBe(401);
    for (const socket of sockets) await socket.next('notification');
  });
});

describe('a store that was asked for and is not there', () => {
  it.each(['redis', 'postgres'])(
    'QUEUE_BACKEND=%s: the start gives up after its time and says why',
    async (backend) => {
      const nowhere = `127.0.0.1:${await freePort()}`;
      const urls = {
        REDIS_URL: `redis://:pw-of-redis@${nowhere}`,
        DATABASE_URL: `postgres://ara:pw-of-db@${nowhere}/ara`,
      };
      const { code, output } = await refusal({
        ...{ RUN_MODE: 'production', ...REPLACED, ...urls },
        ...{ QUEUE_ENABLED: 'true', QUEUE_BACKEND: backend, STORE_BOOT_TIMEOUT_SECONDS: '1' },
      });
      expect(code).toBe(1);
      expect(output).toMatch(backend === 'redis' ? /could not start: .*Redis/ : /could not start: .*PostgreSQL/);
      expect(output).not.toContain('pw-of-');
    },
  );
});

function notification(user: string): Record<string, unknown> {
  return { target_user_id: user, event_type: 'order.created', payload: { id: 1 } };
}
