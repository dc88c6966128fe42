import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { parseEnv } from 'node:util';
import type { Browser } from 'playwright-core';
import { AraProcess, type Env } from './ara-process';
import { BrowserSite, type BrowserTab } from './browser';
import { modulesOf } from './entry';
import { type RedisServer, startRedis } from './redis-server';
import { SseClient } from './sse-client';
import { TEST_API_KEY, TEST_JWT_SECRET, tokenFor } from './tokens';
import { until } from './until';

const ROOT = resolve(__dirname, '../..');
const BROWSER_GLOBALS = join(__dirname, 'browser-globals.cjs');
const DOCUMENTED_URL = /(?:localhost|127\.0\.0\.1):8081\b/g;
const DOCUMENTED_REDIS = /(?:localhost|127\.0\.0\.1):6379\b/g;
const JWT = /eyJ[\w-]+\.[\w-]+\.[\w-]+/g;
const PHP_AUTOLOAD = join(__dirname, 'php-autoload.php');
const LISTENER_MS = 15_000;
const RUN_MS = 30_000;

/** A fenced block of a page. CONTRIBUTING.md tells authors what its language and role mean. */
export interface Sample {
  readonly language: string;
  /** The second word behind the fence: `listen`, `heard`, `page`, the name of a file. */
  readonly role: string;
  readonly code: string;
  readonly line: number;
}

function samplesOf(markdown: string): Sample[] {
  const samples: Sample[] = [];
  let opened: { words: string[]; line: number; code: string[] } | undefined;
  for (const [index, text] of markdown.split('\n').entries()) {
    if (opened === undefined) {
      if (text.startsWith('```')) opened = { words: text.slice(3).split(/\s+/), line: index + 1, code: [] };
    } else if (text === '```') {
      const [language = '', role = ''] = opened.words;
      samples.push({ language, role, code: opened.code.join('\n'), line: opened.line });
      opened = undefined;
    } else opened.code.push(text);
  }
  if (opened !== undefined) throw new Error(`the block opened in line ${opened.line} is never closed`);
  return samples;
}

/** The READMEs and the pages in docs/ that have a sample in one of these languages. */
export function pagesWith(...languages: readonly string[]): string[] {
  const pages = readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' }).map((name) => `docs/${name}`);
  return ['README.md', 'README.zh-TW.md', ...pages.sort()]
    .filter((page) => page.endsWith('.md'))
    .filter((page) => samplesIn(page).some((one) => languages.includes(one.language)));
}

/** The samples of a page, by its path from the root. */
export function samplesIn(page: string): Sample[] {
  return samplesOf(readFileSync(join(ROOT, page), 'utf8'));
}

/** What a page is followed with, beside a shell. */
export interface FollowOptions {
  /** Run the PHP; it is skipped otherwise. */
  readonly php?: true;
  /** Run JavaScript in its tabs, and what only a page can run; Node with a browser's globals otherwise. */
  readonly browser?: Browser;
}

/**
 * Does what a page tells its reader to do, from top to bottom, against a service of its own in a folder of its own, and
 * throws at the first answer that is not the one that the page shows.
 */
export async function followPage(page: string, options: FollowOptions = {}): Promise<void> {
  const samples = samplesIn(page);
  const reader = await Reader.start(samples, options);
  try {
    for (const [index, sample] of samples.entries()) {
      try {
        await reader.follow(sample, samples[index + 1]);
      } catch (error) {
        throw new Error(`${page}:${sample.line}: ${String(error)}\n${reader.ara.output}`, { cause: error });
      }
    }
  } finally {
    await reader.stop();
  }
}

/** Somebody who types what a page says. */
class Reader {
  readonly #listeners: Listener[] = [];
  #php = '';
  #scripts = 0;
  /** Nobody hears what a skipped sample would have sent. */
  #isSkipping = false;

  private constructor(
    readonly ara: AraProcess,
    private readonly folder: string,
    private readonly env: Env,
    private readonly options: FollowOptions,
    private readonly redis: RedisServer | undefined,
    private readonly site: BrowserSite | undefined,
  ) {}

  static async start(samples: readonly Sample[], options: FollowOptions): Promise<Reader> {
    const folder = mkdtempSync(join(tmpdir(), 'ara-docs-'));
    // Ara as root runs its PostgreSQL as another user, who must get in here.
    chmodSync(folder, 0o755);
    const redis = samples.some((sample) => usesRedis(sample, options)) ? await startRedis() : undefined;
    const dotenv = samples.filter(({ language }) => language === 'dotenv').map(({ code }) => code);
    const text = [`JWT_SECRET=${TEST_JWT_SECRET}`, `API_KEY=${TEST_API_KEY}`, ...dotenv].join('\n');
    writeFileSync(join(folder, '.env'), `${text}\n`);
    writeFileSync(join(folder, '.shell'), '');
    // Samples are modules, as in a page.
    writeFileSync(join(folder, 'package.json'), '{"type": "module"}');
    provideCommandLine(folder);
    mkdirSync(join(folder, 'tools'));
    provideCurl(join(folder, 'tools'));
    if (redis !== undefined) provideRedisCli(join(folder, 'tools'), redis.port);
    // A busy machine takes its time to make an embedded database, and to write.
    const patience: Env = { STORE_BOOT_TIMEOUT_SECONDS: '50', STORE_TIMEOUT_MS: '15000' };
    const settings = { ...patience, ...(parseEnv(text) as Env), ...(redis !== undefined && { REDIS_URL: redis.url }) };
    const ara = await AraProcess.start(settings, { cwd: folder });
    if (redis !== undefined) await until('Ara listens to Redis', () => hasListener(redis), RUN_MS);
    const env = {
      PATH: `${join(folder, 'tools')}:${process.env['PATH'] ?? ''}`,
      SERVER_PORT: ara.env['SERVER_PORT'] ?? '',
      ARA_API_KEY: TEST_API_KEY,
      JWT_SECRET: TEST_JWT_SECRET,
      TOKEN: tokenFor('demo'),
    };
    const { browser } = options;
    const site = browser && (await BrowserSite.open(browser, folder, { token: env.TOKEN }));
    return new Reader(ara, folder, env, options, redis, site);
  }

  async follow(sample: Sample, next: Sample | undefined): Promise<void> {
    const shown = next !== undefined && next.role === '' ? next : undefined;
    if (/\.\w+$/.test(sample.role)) {
      writeFileSync(join(this.folder, sample.role), this.#live(sample.code));
      return;
    }
    if (sample.language !== 'text' && sample.language !== 'json') this.#isSkipping = false;
    switch (`${sample.language} ${sample.role}`.trim()) {
      case 'bash':
        check(this.#shell(sample.code), shown);
        return;
      case 'bash listen':
        await this.#listen('sh', ['-c', `. ./.shell; ${this.#live(sample.code)}`], shown);
        return;
      case 'js':
        await this.#runScript(sample, shown);
        return;
      case 'js page':
      case 'jsx page':
        if (this.site === undefined) this.#isSkipping = true;
        else await this.#runScript(sample, shown);
        return;
      case 'php':
        if (this.options.php !== true) this.#isSkipping = true;
        else await this.#runPhp(sample.code, shown);
        return;
      case 'text heard':
        if (this.#isSkipping) return;
        await until(
          `a listener says\n${sample.code}`,
          () => this.#listeners.some((one) => one.said(sample.code)),
          LISTENER_MS,
        );
        return;
      case 'text seen':
        if (this.site !== undefined) await this.#see(this.site, sample.code);
    }
  }

  async stop(): Promise<void> {
    for (const listener of this.#listeners) listener.kill();
    await this.site?.close();
    await this.ara.stop();
    await this.redis?.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** What one block assigns, the next one knows. */
  #shell(code: string): string {
    return this.#run('sh', ['-c', `set -eua; . ./.shell; ${this.#live(code)}\nexport -p > .shell`]);
  }

  /** All PHP of a page up to here is one program: a class in one block, its use in the next. */
  async #runPhp(code: string, shown: Sample | undefined): Promise<void> {
    this.#php += `${code.replace(/^<\?php\n/, '')}\n`;
    if (shown?.language !== 'json' && shown?.language !== 'text') return;
    writeFileSync(join(this.folder, 'sample.php'), `<?php\n${this.#live(this.#php)}`);
    const output = this.#run('php', ['-d', `auto_prepend_file=${PHP_AUTOLOAD}`, 'sample.php']);
    check(output, shown);
    for (const [token] of output.matchAll(JWT))
      await (await SseClient.connect(`${this.ara.url}/sse?token=${token}`)).close();
    this.#php = '';
  }

  async #runScript({ language, code }: Sample, shown: Sample | undefined): Promise<void> {
    const file = `sample-${++this.#scripts}.${language}`;
    writeFileSync(join(this.folder, file), this.#live(code));
    if (this.site === undefined) await this.#listen(process.execPath, ['--require', BROWSER_GLOBALS, file], shown);
    else await this.#hear(new TabListener(await this.site.visit(file)), shown);
  }

  async #see(site: BrowserSite, text: string): Promise<void> {
    const seen = (): Promise<string> =>
      Promise.all(site.tabs.map((tab) => tab.text())).then((texts) => texts.join('\n'));
    await until(`a page shows\n${text}`, async () => (await seen()).includes(text), LISTENER_MS).catch(
      async (error: unknown) => {
        throw new Error(
          `${String(error)}; it shows:\n${await seen()}\n${site.tabs.map(({ output }) => output).join('\n')}`,
        );
      },
    );
  }

  async #listen(command: string, args: string[], shown: Sample | undefined): Promise<void> {
    const child = spawn(command, args, { cwd: this.folder, env: this.env, detached: true });
    await this.#hear(new ProcessListener(child), shown);
  }

  async #hear(listener: Listener, shown: Sample | undefined): Promise<void> {
    this.#listeners.push(listener);
    const text = shown?.language === 'text' ? shown.code : '';
    await until(`it says ${text}`, () => listener.said(text), LISTENER_MS).catch((error: unknown) => {
      throw new Error(`${String(error)}; it said:\n${listener.output}`);
    });
  }

  #run(command: string, args: string[]): string {
    const options = { cwd: this.folder, env: this.env, encoding: 'utf8', timeout: RUN_MS } as const;
    const { status, stdout, stderr } = spawnSync(command, args, options);
    if (status !== 0) throw new Error(`it ended with ${status ?? 'a signal'}: ${stderr}${stdout}`);
    return stdout;
  }

  /** The page's address is the one of a service with default settings. */
  #live(code: string): string {
    return code
      .replace(DOCUMENTED_URL, new URL(this.ara.url).host)
      .replace(DOCUMENTED_REDIS, `127.0.0.1:${this.redis?.port ?? 0}`);
  }
}

/** What goes on while the page is followed further, and what it says meanwhile. */
abstract class Listener {
  abstract readonly output: string;

  /** Whether all these lines were said, in this order. */
  said(text: string): boolean {
    const lines = normal(this.output).split('\n');
    let from = 0;
    return normal(text)
      .split('\n')
      .every((line) => (from = lines.indexOf(line, from) + 1) > 0);
  }

  abstract kill(): void;
}

class ProcessListener extends Listener {
  output = '';

  constructor(private readonly child: ChildProcess) {
    super();
    const take = (chunk: Buffer): void => {
      this.output += chunk.toString();
    };
    child.stdout?.on('data', take);
    child.stderr?.on('data', take);
  }

  /** `''`: anything at all, the sign that it runs. */
  override said(text: string): boolean {
    return text === '' ? this.output !== '' : super.said(text);
  }

  /** With what it has started itself: its shell's commands. */
  override kill(): void {
    const { pid, exitCode } = this.child;
    if (pid === undefined || exitCode !== null) return;
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      // It ended in this moment.
    }
  }
}

/** A tab says what its console says; what it shows is another matter. */
class TabListener extends Listener {
  constructor(private readonly tab: BrowserTab) {
    super();
  }

  override get output(): string {
    return this.tab.output;
  }

  override said(text: string): boolean {
    return text === '' || super.said(text);
  }

  /** The site closes its tabs. */
  override kill(): void {
    return;
  }
}

function check(output: string, shown: Sample | undefined): void {
  const last = normal(output.trimEnd()).split('\n').at(-1) ?? '';
  if (shown?.language === 'json') expect(JSON.parse(last)).toEqual(JSON.parse(normal(shown.code)));
  else if (shown?.language === 'text') expect(normal(output).trimEnd()).toBe(normal(shown.code));
  else expect(last).not.toContain('"error":{');
}

/** Without what differs from run to run: ids, times, tokens, addresses, durations, how often Redis was tried in vain. */
function normal(text: string): string {
  return text
    .replace(/127\.0\.0\.1:\d+/g, 'ara')
    .replace(DOCUMENTED_URL, 'ara')
    .replace(/\b(?!0{8}-)[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}\b/g, '<uuid>')
    .replace(/\bara-[\da-f]{32}\b/g, '<node>')
    .replace(/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, '<time>')
    .replace(JWT, '<token>')
    .replace(/"(uptime_seconds|connected_at|average_ack_time_ms|avg_latency_ms)": ?\d+/g, '"$1":0')
    .replace(/"(circuit_breaker_failures|reconnection_attempts)": ?\d+/g, '"$1":0')
    .replace(/"circuit_breaker_state": ?"\w+"/g, '"circuit_breaker_state":""')
    .replace(/"circuit_open"/g, '"reconnecting"')
    .replace(/^retry: \d+$/gm, 'retry: <ms>');
}

/** `bin/ara.js`, where a clone has it. */
function provideCommandLine(folder: string): void {
  mkdirSync(join(folder, 'bin'));
  writeFileSync(join(folder, 'bin/package.json'), '{"type": "commonjs"}');
  const lines = modulesOf('cli/main').map((path) => `require(${JSON.stringify(path)});\n`);
  writeFileSync(join(folder, 'bin/ara.js'), lines.join(''));
}

function usesRedis({ language, code }: Sample, { php }: FollowOptions): boolean {
  return language === 'php' ? php === true && code.search(DOCUMENTED_REDIS) >= 0 : /^redis-cli /m.test(code);
}

async function hasListener(redis: RedisServer): Promise<boolean> {
  return (await redis.command('PUBSUB', 'NUMPAT')) !== ':0';
}

/** It knows the test's port; where there is none, a stand-in for one command without a terminal. */
function provideRedisCli(folder: string, port: number): void {
  const paths = (process.env['PATH'] ?? '').split(delimiter).map((path) => join(path, 'redis-cli'));
  const real = paths.find((path) => existsSync(path));
  const command = real === undefined ? `'${process.execPath}' '${join(__dirname, 'redis-cli.mjs')}'` : `'${real}' -p`;
  writeFileSync(join(folder, 'redis-cli'), `#!/bin/sh\nexec ${command} ${port} "$@"\n`, { mode: 0o755 });
}

/** A machine with nothing but Node has no curl: there, a stand-in that knows the options of these pages. */
function provideCurl(folder: string): void {
  if (spawnSync('curl', ['--version']).status === 0) return;
  const script = JSON.stringify(join(__dirname, 'curl.mjs'));
  writeFileSync(join(folder, 'curl'), `#!/bin/sh\nexec '${process.execPath}' ${script} "$@"\n`, { mode: 0o755 });
}
