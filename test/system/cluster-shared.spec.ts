import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { AraProcess } from '../support/ara-process';
import { freePort } from '../support/free-port';
import { PostgresServer } from '../support/postgres-server';
import { startRedis } from '../support/redis-server';
import { CONTENT, TestCluster } from '../support/test-cluster';
import { until } from '../support/until';

// What nodes share beside messages: templates, rates, and a Redis behind TLS.

jest.setTimeout(180_000);

describe.each(['redis', 'postgres'] as const)('templates in %s', (backend) => {
  it('are made at one node, used and changed at another, and gone from the third', async () => {
    const postgres = backend === 'postgres' ? await PostgresServer.start() : undefined;
    const cluster = await TestCluster.start({
      TEMPLATE_BACKEND: backend,
      ...(postgres !== undefined && { DATABASE_URL: postgres.url }),
    });
    const client = await cluster.node(0).ws('u');
    await client.settled();
    const sent = async (node: number): Promise<unknown> => {
      const body = { target_user_id: 'u', template_id: 'greeting', variables: { name: 'Ann' } };
      expect((await cluster.node(node).post('/api/v1/notifications/send', body)).status).toBe(200);
      return (await client.notification())['payload'];
    };
    const template = { id: 'greeting', name: 'Greeting', event_type: 'greeted', payload_template: 'Hello {{name}}' };
    expect((await cluster.node(0).post('/api/v1/templates', template)).status).toBe(201);
    expect((await cluster.node(1).post('/api/v1/templates', template)).status).toBe(409);
    expect(await sent(1)).toBe('Hello Ann');
    const change = { body: { payload_template: 'Good day {{name}}' } };
    expect((await cluster.node(2).http('PUT', '/api/v1/templates/greeting', change)).status).toBe(200);
    expect(await sent(0)).toBe('Good day Ann');
    expect((await cluster.node(1).http('DELETE', '/api/v1/templates/greeting')).status).toBe(204);
    expect((await cluster.node(2).get('/api/v1/templates/greeting')).status).toBe(404);
    await cluster.stop();
    await postgres?.stop();
  });
});

it('a rate is one for all nodes while Redis is there, and each has its own while it is away', async () => {
  const burst = 30;
  const cluster = await TestCluster.start({
    RATELIMIT_ENABLED: 'true',
    RATELIMIT_BACKEND: 'redis',
    // What comes back while the test runs stays below one.
    RATELIMIT_HTTP_REQUESTS_PER_SECOND: '1',
    RATELIMIT_HTTP_BURST_SIZE: String(burst),
    REDIS_BACKOFF_MAX_DELAY_MS: '500',
  });
  const allowed = async (count: number): Promise<number> => {
    const answers = await Promise.all(
      Array.from({ length: count }, (_, n) => cluster.node(n % 3).get('/api/v1/channels')),
    );
    return answers.filter(({ status }) => status !== 429).length;
  };
  const startedAt = Date.now();
  const shared = await allowed(3 * burst);
  const refilled = Math.ceil((Date.now() - startedAt) / 1000);
  expect(shared).toBeGreaterThanOrEqual(burst);
  expect(shared).toBeLessThanOrEqual(burst + refilled);
  await cluster.redis.stop();
  await until('each decides for itself', async () => (await allowed(3)) === 3, 15_000);
  expect(await allowed(3 * (burst - 10))).toBeGreaterThan(burst);
  await cluster.stop();
});

it('a Redis behind TLS carries triggers, queue and acknowledgements', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ara-tls-'));
  const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')];
  execFileSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1'],
      ...['-keyout', key, '-out', certificate, '-subj', '/CN=redis', '-addext', 'subjectAltName=IP:127.0.0.1'],
    ],
    { stdio: 'pipe' },
  );
  const tlsPort = await freePort();
  const server = await startRedis({
    args: [
      ...['--tls-port', String(tlsPort), '--tls-cert-file', certificate, '--tls-key-file', key],
      ...['--tls-ca-cert-file', certificate, '--tls-auth-clients', 'no', '--requirepass', 'a-password'],
    ],
  });
  const env = {
    REDIS_URL: `rediss://:a-password@127.0.0.1:${tlsPort}`,
    QUEUE_ENABLED: 'true',
    QUEUE_BACKEND: 'redis',
    ACK_ENABLED: 'true',
    ACK_BACKEND: 'redis',
  };
  const ara = await AraProcess.start({ ...env, NODE_EXTRA_CA_CERTS: certificate });
  const redis = new Redis(server.port, { password: 'a-password' });
  await until('it listens', async () => (await redis.publish('notification:broadcast', '')) === 1);
  await redis.publish('notification:user:u', JSON.stringify({ type: 'user', target: 'u', event: CONTENT }));
  const client = await until('it is kept', async () => {
    const { text } = await ara.get('/metrics');
    return text.includes('ara_queue_size_total 1\n') && ara.ws('u');
  });
  const { id } = await client.notification();
  client.send({ type: 'Ack', payload: { notification_id: id } });
  await client.next('acked');
  expect(await redis.client('LIST')).toMatch(new RegExp(`laddr=127.0.0.1:${tlsPort} .*name=ara-`));
  redis.disconnect();
  await ara.stop();

  // A certificate that nobody vouches for is refused.
  const wary = await AraProcess.launch({ ...env, STORE_BOOT_TIMEOUT_SECONDS: '1' });
  expect((await wary.exited).code).not.toBe(0);
  expect(wary.output).toMatch(/self-signed certificate/);
  await server.close();
  rmSync(folder, { recursive: true });
});
