import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { argumentsOf } from './entry';
import { freePort } from './free-port';
import { http, type HttpAnswer, type HttpRequest } from './http';
import { SseClient } from './sse-client';
import { TEST_API_KEY, TEST_JWT_SECRET, tokenFor, type TestClaims } from './tokens';
import { until } from './until';
import { WsClient } from './ws-client';

const BOOT_MS = 90_000;
const STOP_MS = 40_000;

export type Env = Readonly<Record<string, string>>;

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface StartOptions {
  /** Holds `.env` or `config/` when a test wants them; a fresh empty folder unless told. */
  readonly cwd?: string;
  /** The path that must answer 200 before `start` resolves. */
  readonly readyPath?: string;
  /** A command that runs the service, in front of its own: `ip netns exec …`. */
  readonly prefix?: readonly string[];
}

const running = new Set<ChildProcess>();
const folders: string[] = [];
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** A real service in a process of its own, on a free port, with an environment that holds nothing but what it is given. */
export class AraProcess {
  readonly url: string;
  readonly exited: Promise<Exit>;
  /** Both output streams, from the start. */
  output = '';
  hasExited = false;

  private constructor(
    readonly env: Env,
    readonly cwd: string,
    readonly child: ChildProcess,
    private readonly prefix: readonly string[],
  ) {
    this.url = `http://${env['SERVER_HOST'] ?? ''}:${env['SERVER_PORT'] ?? ''}`;
    running.add(child);
    child.stdout?.on('data', (chunk: Buffer) => (this.output += chunk.toString()));
    child.stderr?.on('data', (chunk: Buffer) => (this.output += chunk.toString()));
    this.exited = new Promise((exited) => {
      child.on('close', (code, signal) => {
        running.delete(child);
        this.hasExited = true;
        exited({ code, signal });
      });
    });
  }

  /** Resolves when the service is ready; rejects, with its output, when it ends before. */
  static async start(env: Env = {}, options: StartOptions = {}): Promise<AraProcess> {
    const ara = await AraProcess.launch(env, options);
    const { readyPath = '/health/ready' } = options;
    const ready = until(
      `${readyPath} answers 200`,
      async () => ara.hasExited || (await ara.http('GET', readyPath, { timeoutMs: 2_000 })).status === 200,
      BOOT_MS,
    );
    await ready.catch(() => ara.kill9());
    if (ara.hasExited) throw new Error(`the service did not become ready\n${ara.output}`);
    return ara;
  }

  /** Starts without waiting: for a service that is meant to refuse, or to wait for something. */
  static async launch(env: Env = {}, options: Pick<StartOptions, 'cwd' | 'prefix'> = {}): Promise<AraProcess> {
    const cwd = options.cwd ?? freshFolder();
    const full: Env = {
      PATH: process.env['PATH'] ?? '',
      SERVER_HOST: '127.0.0.1',
      SERVER_PORT: env['SERVER_PORT'] ?? String(await freePort()),
      JWT_SECRET: TEST_JWT_SECRET,
      API_KEY: TEST_API_KEY,
      // Nobody listens there: a test that needs Redis brings its own, and none meets one that happens to run here.
      REDIS_URL: 'redis://127.0.0.1:1',
      ...env,
    };
    const { prefix = [] } = options;
    const [command = '', ...args] = [...prefix, process.execPath, ...argumentsOf('main')];
    const child = spawn(command, args, { cwd, env: full, stdio: ['ignore', 'pipe', 'pipe'] });
    return new AraProcess(full, cwd, child, prefix);
  }

  /** The same service once more, on the same port and in the same folder, after this one has ended. */
  async restart(env: Env = {}): Promise<AraProcess> {
    return AraProcess.start({ ...this.env, ...env }, { cwd: this.cwd, prefix: this.prefix });
  }

  /** Ends it as an operator would, and waits. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Exit> {
    this.child.kill(signal);
    const late = setTimeout(() => this.child.kill('SIGKILL'), STOP_MS);
    const exit = await this.exited;
    clearTimeout(late);
    return exit;
  }

  /** Ends it as a crash would, and waits. */
  kill9(): Promise<Exit> {
    this.child.kill('SIGKILL');
    return this.exited;
  }

  /** A request with the API key, unless `headers` name another. */
  http(method: string, path: string, options: HttpRequest = {}): Promise<HttpAnswer> {
    return http(method, this.url, path, {
      ...options,
      headers: { 'x-api-key': this.env['API_KEY'], ...options.headers },
    });
  }

  get(path: string, headers: HttpRequest['headers'] = {}): Promise<HttpAnswer> {
    return this.http('GET', path, { headers });
  }

  post(path: string, body: unknown, headers: HttpRequest['headers'] = {}): Promise<HttpAnswer> {
    return this.http('POST', path, { body, headers });
  }

  ws(user: string, claims: TestClaims = {}): Promise<WsClient> {
    return WsClient.connect(`${this.url.replace('http', 'ws')}/ws?token=${this.#token(user, claims)}`);
  }

  /** `query` follows the token: `&channels=a,b`. */
  sse(user: string, claims: TestClaims = {}, query = ''): Promise<SseClient> {
    return SseClient.connect(`${this.url}/sse?token=${this.#token(user, claims)}${query}`);
  }

  #token(user: string, claims: TestClaims): string {
    return tokenFor(user, claims, this.env['JWT_SECRET']);
  }
}

/** Gone when the test process ends. */
function freshFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'ara-'));
  folders.push(folder);
  return folder;
}
