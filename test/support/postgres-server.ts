import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Client } from 'pg';
import { embeddedBinaries } from '../../src/postgres/embedded-binaries';
import { serverAccount } from '../../src/postgres/server-account';
import { freePort } from './free-port';
import { until } from './until';

/** The test's own server has nothing to hide and listens on the loopback only. */
const AUTHENTICATION = '--auth=trust';
const running = new Set<PostgresServer>();

process.on('exit', () => {
  for (const server of running) server.killNow();
});

/** A real PostgreSQL of the test's own, on a free port, as a process that can be killed and frozen. */
export class PostgresServer {
  readonly url: string;
  #process: ChildProcess | undefined;

  private constructor(
    readonly folder: string,
    readonly port: number,
    private readonly settings: Readonly<Record<string, string>>,
  ) {
    this.url = `postgres://postgres@127.0.0.1:${port}/postgres`;
  }

  /** Makes one and starts it. `settings`: of postgresql.conf. */
  static async start(settings: Readonly<Record<string, string>> = {}): Promise<PostgresServer> {
    const folder = mkdtempSync(join(tmpdir(), 'ara-pg-'));
    const identity = identityOfServer();
    if (identity !== undefined) chownSync(folder, identity.uid, identity.gid);
    const options = ['--username=postgres', '--encoding=UTF8', '--locale=C', '--no-sync', AUTHENTICATION];
    execFileSync(join(binaries(), 'initdb'), [`--pgdata=${folder}/data`, ...options], {
      cwd: folder,
      stdio: 'pipe',
      ...identity,
    });
    const server = new PostgresServer(folder, await freePort(), settings);
    await server.restart();
    return server;
  }

  get pid(): number {
    const pid = this.#process?.pid;
    if (pid === undefined) throw new Error('the server is not running');
    return pid;
  }

  /** Starts it again, on the same port with the same data; resolves when it answers. */
  async restart(): Promise<void> {
    const settings = Object.entries({ listen_addresses: '127.0.0.1', unix_socket_directories: '', ...this.settings });
    const child = spawn(
      join(binaries(), 'postgres'),
      [
        '-D',
        `${this.folder}/data`,
        '-p',
        `${this.port}`,
        ...settings.flatMap(([name, value]) => ['-c', `${name}=${value}`]),
      ],
      { cwd: this.folder, stdio: ['ignore', 'ignore', 'pipe'], ...identityOfServer() },
    );
    let log = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (log += text));
    this.#process = child;
    running.add(this);
    await until(
      'PostgreSQL answers',
      async () => {
        if (child.exitCode !== null) throw new Error(`postgres ended: ${log}`);
        await this.query('SELECT 1');
        return true;
      },
      30_000,
    );
  }

  /** As an operator would ask it, past the code under test. */
  async query<Row>(text: string, values: unknown[] = []): Promise<Row[]> {
    const client = new Client({ connectionString: this.url });
    client.on('error', () => undefined);
    await client.connect();
    try {
      return (await client.query(text, values)).rows as Row[];
    } finally {
      await client.end();
    }
  }

  /** Without a goodbye; resolves when the server and all its helpers are gone. */
  async kill9(): Promise<void> {
    const all = this.#processes();
    this.killNow();
    await until('the killed server is gone', () => all.every((pid) => !isAlive(pid)), 10_000);
  }

  killNow(): void {
    for (const pid of this.#processes()) signal(pid, 'SIGKILL');
    running.delete(this);
  }

  /** Freezes it: its connections stay open and nothing answers. */
  pause(): void {
    for (const pid of this.#processes()) signal(pid, 'SIGSTOP');
  }

  resume(): void {
    for (const pid of this.#processes()) signal(pid, 'SIGCONT');
  }

  /** Ends it in order, and deletes its data. */
  async stop(): Promise<void> {
    const child = this.#process;
    if (child?.exitCode === null && child.signalCode === null) {
      this.resume();
      const exited = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGINT');
      await exited;
    }
    running.delete(this);
    rmSync(this.folder, { recursive: true, force: true });
  }

  #processes(): number[] {
    const pid = this.#process?.pid;
    return pid === undefined ? [] : [pid, ...childrenOf(pid)];
  }
}

/** A folder in which an embedded server can be made and, as root, reached by its own account. */
export function embeddedFolder(): string {
  const parent = mkdtempSync(join(tmpdir(), 'ara-embedded-'));
  chmodSync(parent, 0o755);
  return join(parent, 'postgres');
}

/** Direct children, as a server's backends are. */
export function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // A zombie has nothing left to do but to be noticed.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It ended by itself meanwhile.
  }
}

/** Where initdb and postgres are: ARA_TEST_POSTGRES_BIN, else the distribution's newest, else (and with ARA_TEST_NODE_ONLY=1) what npm has installed. */
function binaries(): string {
  const told = process.env['ARA_TEST_POSTGRES_BIN'];
  if (told !== undefined) return told;
  const fromNpm = (): string => dirname(embeddedBinaries().postgres);
  if (process.env['ARA_TEST_NODE_ONLY'] === '1') return fromNpm();
  const versions = '/usr/lib/postgresql';
  const newest = existsSync(versions) ? readdirSync(versions).sort((a, b) => Number(b) - Number(a))[0] : undefined;
  if (newest !== undefined) return join(versions, newest, 'bin');
  for (const folder of (process.env['PATH'] ?? '').split(':')) if (existsSync(join(folder, 'initdb'))) return folder;
  return fromNpm();
}

/** PostgreSQL does not run as root. */
function identityOfServer(): { uid: number; gid: number } | undefined {
  const account = serverAccount();
  return account && { uid: account.uid, gid: account.gid };
}
