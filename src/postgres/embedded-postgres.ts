import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { Client, type ClientConfig, DatabaseError } from 'pg';
import { AraError } from '../notification/ara-error';
import { type EmbeddedBinaries, embeddedBinaries } from './embedded-binaries';
import { EmbeddedFolder } from './embedded-folder';
import { type ServerAccount, serverAccount } from './server-account';

/** Held by the Ara that the server belongs to; the server lets it go by itself when that one dies. */
const OWNER_LOCK = 4_170_043;
/** A killed Ara's connection may need a moment to end. */
const OWNER_PATIENCE_MS = 3000;
const RETRY_MS = 100;
const RESTART_DEADLINE_MS = 60_000;
const STOP_DEADLINE_MS = 10_000;
const CONNECT_TIMEOUT_MS = 2000;

/** The server promises what the queue promises; the rest is for a small one. */
const SETTINGS = {
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',
  listen_addresses: '',
  unix_socket_permissions: '0700',
  max_connections: '200',
  max_locks_per_transaction: '256',
  shared_buffers: '64MB',
  jit: 'off',
  logging_collector: 'off',
  log_destination: 'stderr',
  // Statements hold what users are told: none of it belongs into a log.
  log_min_error_statement: 'panic',
  log_parameter_max_length_on_error: '0',
};

/**
 * A PostgreSQL of Ara's own in a folder: made on the first start, started again when it dies, taken over from an Ara that
 * was killed, and stopped with Ara. Only this machine's same user can reach it, over a Unix socket with a random password.
 * One Ara per folder.
 */
export class EmbeddedPostgres {
  private readonly logger = new Logger(EmbeddedPostgres.name);
  private readonly folder: EmbeddedFolder;
  #server: ChildProcess | undefined;
  #owner: Client | undefined;
  #starting: Promise<void> | undefined;
  #isStopped = false;

  constructor(folder: string) {
    this.folder = new EmbeddedFolder(folder);
  }

  /** How to connect; valid once `start` has resolved. */
  get connection(): ClientConfig {
    return this.folder.connection;
  }

  /**
   * Resolves when the server answers and is this Ara's. Rejects with CONFIG_ERROR when it cannot run here or another Ara has
   * it, else when it did not answer before `deadline` (of performance.now()).
   */
  start(deadline: number): Promise<void> {
    this.#isStopped = false;
    if (this.#owner !== undefined) return Promise.resolve();
    this.#starting ??= this.#own(deadline).finally(() => (this.#starting = undefined));
    return this.#starting;
  }

  /** Ends the server as if there was no hurry: what it has confirmed is on the disk. Idempotent. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#starting?.catch(() => undefined);
    const owner = this.#owner;
    this.#owner = undefined;
    if (owner === undefined) return;
    const pid = this.folder.serverPid();
    if (pid === undefined) return;
    // The fast shutdown of PostgreSQL: it ends the connections, this one too, and writes everything.
    if (isAlive(pid)) process.kill(pid, 'SIGINT');
    const deadline = performance.now() + STOP_DEADLINE_MS;
    // The server removes its file last; one that was taken over may stay a process until its new parent looks after it.
    while (this.folder.serverPid() === pid && isAlive(pid)) {
      if (performance.now() > deadline) {
        this.logger.warn(
          `The embedded PostgreSQL (process ${pid}) takes its time to stop; the next start will wait for it`,
        );
        return;
      }
      await sleep(RETRY_MS);
    }
  }

  async #own(deadline: number): Promise<void> {
    const binaries = embeddedBinaries();
    const account = serverAccount();
    this.folder.prepare(binaries, account);
    await this.folder.initialise(binaries, account);
    for (;;) {
      try {
        await this.#takeOver();
        this.folder.removeLeftovers();
        return;
      } catch (error) {
        if (error instanceof AraError) throw error;
        // A server that answers at all is starting or ending: that needs patience, not a second one.
        const isThere = error instanceof DatabaseError;
        if (performance.now() > deadline || this.#isStopped) {
          throw new Error(`The embedded PostgreSQL in ${this.folder.path} did not start: ${this.folder.logTail()}`, {
            cause: error,
          });
        }
        if (!isThere && this.#server === undefined) this.#spawn(binaries, account);
        await sleep(RETRY_MS);
      }
    }
  }

  /** Connects for as long as the server lives, and claims it. The end of this connection is how its death is noticed. */
  async #takeOver(): Promise<void> {
    const owner = new Client({
      ...this.connection,
      application_name: `ara owner ${process.pid}`,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    });
    owner.on('error', () => undefined);
    try {
      await owner.connect();
      await claim(owner, this.folder.path);
    } catch (error) {
      await owner.end();
      throw error;
    }
    this.#owner = owner;
    owner.once('end', () => {
      if (this.#owner !== owner) return;
      this.#owner = undefined;
      if (!this.#isStopped) void this.#restart();
    });
  }

  async #restart(): Promise<void> {
    this.logger.warn('The embedded PostgreSQL went away; starting it again');
    while (!this.#isStopped) {
      try {
        await this.start(performance.now() + RESTART_DEADLINE_MS);
        this.logger.log('The embedded PostgreSQL runs again');
        return;
      } catch (error) {
        this.logger.error(error instanceof Error ? error.message : String(error));
        await sleep(RESTART_DEADLINE_MS / 10, undefined, { ref: false });
      }
    }
  }

  /** In a session of its own, so that a Ctrl-C for Ara does not end the server before Ara is done with it. */
  #spawn(binaries: EmbeddedBinaries, account: ServerAccount | undefined): void {
    const settings = Object.entries(SETTINGS).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    const log = this.folder.openLog();
    const child = spawn(binaries.postgres, [...this.folder.serverArguments, ...settings], {
      ...this.folder.processOptions(binaries, account),
      stdio: ['ignore', log, log],
      detached: true,
    });
    closeSync(log);
    child.unref();
    this.#server = child;
    const forget = (): void => {
      if (this.#server === child) this.#server = undefined;
    };
    child.once('exit', forget);
    child.once('error', (error) => {
      this.logger.error(`${binaries.postgres}: ${error.message}`);
      forget();
    });
  }
}

async function claim(owner: Client, folder: string): Promise<void> {
  const deadline = performance.now() + OWNER_PATIENCE_MS;
  for (;;) {
    const { rows } = await owner.query<{ mine: boolean }>('SELECT pg_try_advisory_lock($1) AS mine', [OWNER_LOCK]);
    if (rows[0]?.mine === true) return;
    if (performance.now() > deadline) {
      throw new AraError(
        'CONFIG_ERROR',
        `Another Ara is using the embedded PostgreSQL in ${folder}. Give each its own folder, or let both share a server`,
      );
    }
    await sleep(RETRY_MS);
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
