import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './free-port';
import { until } from './until';

const BOOT_MS = 10_000;

export interface RedisOptions {
  /** A free one unless told. */
  readonly port?: number;
  /** Further arguments, e.g. `['--appendonly', 'yes']` to keep data over a restart. Default: nothing is persisted. */
  readonly args?: readonly string[];
  /** A configuration file that the server may rewrite, as Sentinel does. */
  readonly config?: string;
}

const running = new Set<ChildProcess>();
const folders = new Set<string>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/**
 * Whether a redis-server is installed; without one, tests run against the WebAssembly build of Valkey, which persists
 * nothing and knows no arguments. ARA_TEST_NODE_ONLY=1 pretends that npm's packages are all there is.
 */
export const hasRedisServer =
  process.env['ARA_TEST_NODE_ONLY'] !== '1' && spawnSync('redis-server', ['--version']).status === 0;

/** Starts a server of its own, on a free port, in an empty temporary folder; resolves when it answers. */
export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  const server = new RedisServer(options.port ?? (await freePort()), options);
  await server.start();
  return server;
}

/** The same as a Redis Cluster of one node, which serves all slots but refuses what would not lie in one. */
export async function startRedisCluster(options: RedisOptions = {}): Promise<RedisServer> {
  const args = ['--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1', ...(options.args ?? [])];
  const node = await startRedis({ ...options, args });
  await node.command('CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
  await until('the cluster serves', async () => !(await node.command('GET', 'a')).startsWith('-'), BOOT_MS);
  return node;
}

/** A real server in a process of its own, to be stopped, killed and paused. Ends with the test process at the latest. */
export class RedisServer {
  readonly folder = mkdtempSync(join(tmpdir(), 'ara-redis-'));
  #child: ChildProcess | undefined;
  #output = '';

  constructor(
    readonly port: number,
    private readonly options: RedisOptions,
  ) {
    folders.add(this.folder);
  }

  get url(): string {
    const isCluster = this.options.args?.includes('--cluster-enabled') === true;
    return `${isCluster ? 'redis+cluster' : 'redis'}://127.0.0.1:${this.port}`;
  }

  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error('the server is not running');
    return pid;
  }

  /** Again, after `stop` or `kill9`: same port, same folder. */
  async start(): Promise<void> {
    const [command, args] = this.#commandLine();
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    running.add(child);
    child.once('exit', () => running.delete(child));
    child.on('error', (error) => (this.#output += error.message));
    child.stdout.on('data', (chunk: Buffer) => (this.#output += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (this.#output += chunk.toString()));
    await until(`Redis answers on port ${this.port}`, () => this.#isReady(), BOOT_MS);
  }

  /** As an operator would: data is written out where it is to be kept. */
  stop(): Promise<void> {
    return this.#end('SIGTERM');
  }

  /** As a crash would. */
  kill9(): Promise<void> {
    return this.#end('SIGKILL');
  }

  /** From now on it takes connections and answers nothing. */
  pause(): void {
    this.#child?.kill('SIGSTOP');
  }

  resume(): void {
    this.#child?.kill('SIGCONT');
  }

  async close(): Promise<void> {
    await this.kill9();
    rmSync(this.folder, { recursive: true, force: true });
    folders.delete(this.folder);
  }

  /** Sends one command, with a connection of its own; the first line of the answer, which may be an error. */
  async command(...words: readonly string[]): Promise<string> {
    return (await this.#ask(words)).split('\r\n')[0] ?? '';
  }

  /** A section of INFO. */
  info(section: string): Promise<string> {
    return this.#ask(['INFO', section]);
  }

  /** The beginning of the answer: what came in one piece. */
  async #ask(words: readonly string[]): Promise<string> {
    const socket = connect(this.port, '127.0.0.1');
    try {
      socket.setEncoding('utf8');
      socket.write(`*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`);
      const [answer] = (await once(socket, 'data', { signal: AbortSignal.timeout(5_000) })) as [string];
      return answer;
    } finally {
      socket.destroy();
    }
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    child.kill('SIGCONT');
    await exited;
  }

  async #isReady(): Promise<boolean> {
    if (this.#child?.exitCode !== null) throw new Error(`Redis ended: ${this.#output}`);
    return !(await this.command('PING')).startsWith('-LOADING');
  }

  #commandLine(): readonly [string, readonly string[]] {
    if (!hasRedisServer) {
      process.stderr.write('No redis-server here: testing against the WebAssembly build of Valkey.\n');
      return [process.execPath, [join(__dirname, 'valkey-server.mjs'), String(this.port)]];
    }
    const { config, args = [] } = this.options;
    const first = config === undefined ? ['--save', ''] : [config];
    return [
      'redis-server',
      [...first, '--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.folder, ...args],
    ];
  }
}
