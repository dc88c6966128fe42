import { StoreUnavailableError } from '../../src/notification/store-unavailable';
import type { NotificationId, TenantId, UserId } from '../../src/notification/ids';
import type { PostgresService } from '../../src/postgres/postgres.service';
import { PostgresQueueStore } from '../../src/queue/postgres-queue.store';
import { Metrics } from '../../src/telemetry/metrics';
import { PostgresServer } from '../support/postgres-server';
import { type PostgresOptions, postgresService } from '../support/postgres-service';
import { until } from '../support/until';

const TIMEOUT_MS = 500;

async function elapsed(action: Promise<unknown>): Promise<number> {
  const started = performance.now();
  await action.catch(() => undefined);
  return performance.now() - started;
}

describe('PostgresService', () => {
  let server: PostgresServer;
  const services: PostgresService[] = [];

  beforeAll(async () => {
    server = await PostgresServer.start();
  }, 60_000);

  afterEach(async () => {
    server.resume();
    await Promise.all(services.splice(0).map((service) => service.close()));
  });

  afterAll(() => server.stop());

  function service(options: PostgresOptions = {}, url = server.url, metrics = new Metrics()): PostgresService {
    const made = postgresService(url, { timeoutMs: TIMEOUT_MS, ...options }, metrics);
    services.push(made);
    return made;
  }

  const ask = (of: PostgresService): Promise<unknown> => of.run('ask', 'SELECT 1 AS one', []);

  it('opens nothing before it is asked to, and once however many ask', async () => {
    const postgres = service();
    expect(postgres.health()).toBeUndefined();
    await expect(ask(postgres)).rejects.toThrow('not opened');
    await Promise.all([postgres.open(), postgres.open(), postgres.open()]);
    expect(await ask(postgres)).toEqual([{ one: 1 }]);
    expect(postgres.health()).toEqual({ connected: true, poolSize: 1, idleConnections: 1 });
    expect(postgres.isDurable).toBe(true);
    await postgres.close();
    expect(postgres.health()).toBeUndefined();
    await postgres.open();
    expect(await ask(postgres)).toEqual([{ one: 1 }]);
  });

  it('measures operations and counts errors', async () => {
    const metrics = new Metrics();
    const postgres = service({}, server.url, metrics);
    await postgres.open();
    await ask(postgres);
    await expect(postgres.run('bad', 'SELECT $1::uuid', ['no uuid'])).rejects.toThrow();
    const scrape = await metrics.render();
    expect(scrape).toContain('ara_backend_operation_latency_seconds_count{backend="postgres",operation="ask"} 1');
    expect(scrape).toContain('ara_backend_errors_total{backend="postgres",operation="bad"} 1');
  });

  it('hands on what the server says of the input, and goes on', async () => {
    const postgres = service();
    await postgres.open();
    for (let n = 0; n < 10; n++) {
      const refused = postgres.run('bad', 'SELECT $1::uuid', ['no uuid']);
      await expect(refused).rejects.toMatchObject({ code: '22P02' });
      await expect(refused).rejects.not.toBeInstanceOf(StoreUnavailableError);
    }
    expect(await ask(postgres)).toEqual([{ one: 1 }]);
    expect(postgres.health()?.poolSize).toBe(1);
  });

  it('says that it is unavailable when the tables are gone or the server is read-only', async () => {
    const postgres = service();
    await postgres.open();
    await expect(postgres.run('gone', 'SELECT * FROM ara.gone', [])).rejects.toBeInstanceOf(StoreUnavailableError);
    await server.query('ALTER SYSTEM SET default_transaction_read_only = on');
    await server.query('SELECT pg_reload_conf()');
    const fresh = service();
    await fresh.open();
    await until('read-only', async () => {
      const refused: unknown = await fresh
        .run('write', "INSERT INTO ara.dedupe_keys VALUES ('a', gen_random_uuid()::text, now())", [])
        .catch((error: unknown) => error);
      return refused instanceof StoreUnavailableError;
    });
    await server.query('ALTER SYSTEM RESET default_transaction_read_only');
    await server.query('SELECT pg_reload_conf()');
  });

  it('survives the death of the server: what was confirmed is there afterwards', async () => {
    const postgres = service();
    await postgres.open();
    const store = new PostgresQueueStore(postgres);
    const stream = { tenant: 'acme' as TenantId, user: 'alice' as UserId };
    const id = '01890000-0000-7000-8000-000000000001' as NotificationId;
    const body = { id, priority: 'Normal', expiresAt: Date.now() + 60_000, json: '{}' } as const;
    await store.append([{ tenant: stream.tenant, users: [stream.user], body, present: new Set() }], 10, Date.now());

    await server.kill9();
    await until('the loss is noticed by itself', () => postgres.health()?.connected === false);
    await expect(ask(postgres)).rejects.toBeInstanceOf(StoreUnavailableError);

    await server.restart();
    await until('it serves again by itself', () => postgres.health()?.connected === true);
    const entries = await store.readAfter(stream, undefined, 10, Date.now());
    expect(entries.map((entry) => entry.id)).toEqual([id]);
  }, 60_000);

  it('answers within its time when the server hangs, then at once, and serves again when it goes on', async () => {
    const postgres = service();
    await postgres.open();
    await Promise.all([ask(postgres), ask(postgres)]);
    server.pause();
    const hanging = Array.from({ length: 8 }, () => elapsed(ask(postgres)));
    for (const ms of await Promise.all(hanging)) expect(ms).toBeLessThan(TIMEOUT_MS + 400);
    await expect(ask(postgres)).rejects.toThrow('did not answer lately');
    expect(await elapsed(ask(postgres))).toBeLessThan(100);
    server.resume();
    await until('it serves again', async () => (await ask(postgres)) !== undefined, 10_000);
  }, 30_000);

  it('ends while the server hangs', async () => {
    const postgres = service();
    await postgres.open();
    await ask(postgres);
    server.pause();
    expect(await elapsed(postgres.close())).toBeLessThan(TIMEOUT_MS * 4);
  });

  it('waits at its start for a server that comes, and not for ever for one that does not', async () => {
    await server.kill9();
    const patient = service();
    const opening = patient.open();
    const secret = server.url.replace('postgres@', 'postgres:hunter2hunter2@');
    const given = service({ bootTimeoutSeconds: 1 }, secret);
    const refusal: unknown = await given.open().catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(StoreUnavailableError);
    expect(String(refusal)).toContain(`127.0.0.1:${server.port}`);
    expect(String(refusal)).toContain('could not be used within 1 s');
    expect(String(refusal)).not.toContain('hunter2');
    await server.restart();
    await opening;
    expect(await ask(patient)).toEqual([{ one: 1 }]);
  }, 60_000);

  it('gives up in time on a server that accepts connections and says nothing', async () => {
    server.pause();
    const given = service({ bootTimeoutSeconds: 1 });
    const started = performance.now();
    await expect(given.open()).rejects.toBeInstanceOf(StoreUnavailableError);
    expect(performance.now() - started).toBeLessThan(3000);
  }, 30_000);

  it('is not usable, and says why, with an encoding that cannot hold everything', async () => {
    await server.query("CREATE DATABASE small ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0");
    await expect(service({}, server.url.replace(/postgres$/, 'small')).open()).rejects.toThrow('needs UTF8');
  });

  it('notices when the server is told to be lax meanwhile', async () => {
    const postgres = service();
    await postgres.open();
    expect(postgres.isDurable).toBe(true);
    await server.query('ALTER SYSTEM SET synchronous_commit = off');
    await server.query('SELECT pg_reload_conf()');
    await until('it is not durable any more', () => !postgres.isDurable);
    await server.query('ALTER SYSTEM RESET synchronous_commit');
    await server.query('SELECT pg_reload_conf()');
    await until('it is durable again', () => postgres.isDurable);
  });

  it('says what a lax server would lose, and production refuses the worst', async () => {
    const lax = await PostgresServer.start({ fsync: 'off' });
    try {
      const development = service({}, lax.url);
      await development.open();
      expect(development.isDurable).toBe(false);
      await expect(service({ production: true }, lax.url).open()).rejects.toThrow('fsync=off');
    } finally {
      await Promise.all(services.splice(0).map((each) => each.close()));
      await lax.stop();
    }
  }, 60_000);
});
