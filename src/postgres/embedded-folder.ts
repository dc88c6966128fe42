import { execFile, type SpawnOptions } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  chownSync,
  copyFileSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { ClientConfig } from 'pg';
import { AraError } from '../notification/ara-error';
import { type EmbeddedBinaries, libraryPath } from './embedded-binaries';
import { assertReachable, type ServerAccount } from './server-account';

const run = promisify(execFile);

const USER = 'ara';
/** Part of the socket's name, nothing else: the server does not listen on any network. */
const PORT = 5432;
/** The longest path of a Unix socket on Linux is 107 bytes, on macOS 103; this is without the socket's own name. */
const MAX_SOCKET_FOLDER_BYTES = 80;
const MAX_LOG_BYTES = 1024 * 1024;
/** What a start that was killed leaves: `data.<12 hex digits>`, and the same of the password. */
const LEFTOVER = /^(data|password)\.[0-9a-f]{12}/;

/**
 * Where an embedded PostgreSQL lives: `data`, `password` (0600), `postgres.log`, and as a rule `run` with the socket.
 */
export class EmbeddedFolder {
  readonly path: string;
  readonly data: string;

  constructor(path: string) {
    this.path = resolve(path);
    this.data = this.#path('data');
  }

  get connection(): ClientConfig {
    return {
      host: this.#socketFolder(),
      port: PORT,
      user: USER,
      database: 'postgres',
      password: () => readFileSync(this.#path('password'), 'utf8'),
    };
  }

  /** Where the server listens and what it serves. */
  get serverArguments(): string[] {
    return ['-D', this.data, '-p', String(PORT), '-c', `unix_socket_directories=${this.#socketFolder()}`];
  }

  /** Makes what is missing but the database. Rejects with CONFIG_ERROR when the server could not work here. */
  prepare(binaries: EmbeddedBinaries, account: ServerAccount | undefined): void {
    const sockets = this.#socketFolder();
    try {
      mkdirSync(this.path, { recursive: true, mode: 0o755 });
      mkdirSync(sockets, { recursive: true, mode: 0o700 });
    } catch (error) {
      throw new AraError('CONFIG_ERROR', `The folder of the embedded PostgreSQL, ${this.path}, cannot be made`, {
        cause: error,
      });
    }
    // In a folder for everybody's temporary files somebody else may have been first.
    const found = lstatSync(sockets);
    if (!found.isDirectory() || ![process.getuid?.(), account?.uid].includes(found.uid)) {
      throw new AraError(
        'CONFIG_ERROR',
        `${sockets}, for the socket of the embedded PostgreSQL, belongs to somebody else`,
      );
    }
    if (account === undefined) return;
    chownSync(sockets, account.uid, account.gid);
    assertReachable(binaries.postgres, account);
    assertReachable(this.data, account);
  }

  /** Makes the database, unless there is one: beside its place and then put there, so that a half-made one is never taken for it. */
  async initialise(binaries: EmbeddedBinaries, account: ServerAccount | undefined): Promise<void> {
    if (existsSync(this.data)) return;
    this.#choosePassword();
    const fresh = this.#path(`data.${randomBytes(6).toString('hex')}`);
    mkdirSync(fresh, { mode: 0o700 });
    if (account !== undefined) chownSync(fresh, account.uid, account.gid);
    try {
      await this.#runInitdb(binaries, account, fresh);
      renameSync(fresh, this.data);
    } catch (error) {
      rmSync(fresh, { recursive: true, force: true });
      // Somebody else was faster; who of us owns it is settled later.
      if (!existsSync(this.data)) throw error;
    }
  }

  /** Only for the one to whom the server belongs. */
  removeLeftovers(): void {
    for (const name of readdirSync(this.path)) {
      if (LEFTOVER.test(name)) rmSync(this.#path(name), { recursive: true, force: true });
    }
  }

  /** For the package's programs: as whom, where, and in an environment of their own. */
  processOptions(binaries: EmbeddedBinaries, account: ServerAccount | undefined): SpawnOptions {
    const path = libraryPath(binaries, this.#path('lib'));
    const variable = process.platform === 'darwin' ? 'DYLD_LIBRARY_PATH' : 'LD_LIBRARY_PATH';
    return {
      // Nothing of Ara's own environment, which holds its secrets.
      env: {
        LC_ALL: 'C',
        PATH: process.env['PATH'],
        TZ: 'UTC',
        ...(path !== undefined && { [variable]: path }),
      },
      cwd: '/',
      ...(account !== undefined && { uid: account.uid, gid: account.gid }),
    };
  }

  /** The first line of postmaster.pid, which the server writes when it starts and removes when it ends. */
  serverPid(): number | undefined {
    try {
      return Number.parseInt(readFileSync(join(this.data, 'postmaster.pid'), 'utf8'), 10);
    } catch {
      return undefined;
    }
  }

  /** A descriptor to write the server's log to. Begun anew once it is large. */
  openLog(): number {
    const log = this.#path('postgres.log');
    const isLarge = (statSync(log, { throwIfNoEntry: false })?.size ?? 0) > MAX_LOG_BYTES;
    return openSync(log, isLarge ? 'w' : 'a', 0o600);
  }

  logTail(): string {
    try {
      return readFileSync(this.#path('postgres.log'), 'utf8').trim().split('\n').slice(-5).join(' | ');
    } catch {
      return 'it left no log';
    }
  }

  #choosePassword(): void {
    const mine = this.#path(`password.${randomBytes(6).toString('hex')}`);
    writeFileSync(mine, randomBytes(24).toString('base64url'), { mode: 0o600 });
    try {
      linkSync(mine, this.#path('password'));
    } catch (error) {
      if (!existsSync(this.#path('password'))) throw error;
    } finally {
      rmSync(mine);
    }
  }

  async #runInitdb(binaries: EmbeddedBinaries, account: ServerAccount | undefined, data: string): Promise<void> {
    const passwordFile = `${data}.password`;
    copyFileSync(this.#path('password'), passwordFile);
    if (account !== undefined) chownSync(passwordFile, account.uid, account.gid);
    const options = ['--encoding=UTF8', '--locale=C', '--auth=scram-sha-256', '--data-checksums'];
    try {
      await run(
        binaries.initdb,
        [`--pgdata=${data}`, `--username=${USER}`, `--pwfile=${passwordFile}`, ...options],
        this.processOptions(binaries, account),
      );
    } catch (error) {
      const complaint = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : '';
      throw new AraError('CONFIG_ERROR', `The embedded PostgreSQL could not be made in ${this.path}: ${complaint}`, {
        cause: error,
      });
    } finally {
      rmSync(passwordFile, { force: true });
    }
  }

  #socketFolder(): string {
    const own = this.#path('run');
    if (Buffer.byteLength(own) <= MAX_SOCKET_FOLDER_BYTES) return own;
    return join(tmpdir(), `ara-postgres-${createHash('sha256').update(this.path).digest('hex').slice(0, 24)}`);
  }

  #path(name: string): string {
    return join(this.path, name);
  }
}
