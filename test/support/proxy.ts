import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { samplesIn } from './docs-page';
import { freePort } from './free-port';
import { http } from './http';
import { tool } from './tools';
import { until } from './until';

const PAGE = 'docs/deployment.md';
const BOOT_MS = 30_000;

/** A reverse proxy of the distribution, configured as docs/deployment.md says, but for its address and Ara's. */
export class Proxy {
  readonly url: string;
  output = '';

  private constructor(
    port: number,
    readonly config: string,
    private readonly folder: string,
    private readonly child: ChildProcess,
  ) {
    this.url = `http://127.0.0.1:${port}`;
    for (const stream of [child.stdout, child.stderr])
      stream?.on('data', (chunk: Buffer) => (this.output += chunk.toString()));
  }

  /** In front of these addresses (`127.0.0.1:8081`), with the page's configuration unless told. */
  static async nginx(upstreams: readonly string[], config = sampleOf('nginx')): Promise<Proxy> {
    return Proxy.#start('nginx', (port, folder) => {
      const text = config
        .replace(/listen 80;/, `listen 127.0.0.1:${port};`)
        .replace(/(^ *server \S+:8081 (.*);\n)+/m, (_, __, options: string) =>
          upstreams.map((address) => `server ${address} ${options};\n`).join(''),
        )
        .replace(
          'http {',
          `http { ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${folder}/${name};`).join(' ')}`,
        );
      const globals = `daemon off; pid ${folder}/pid; error_log stderr warn;`;
      return {
        text,
        command: [tool('nginx'), '-p', folder, '-e', 'stderr', '-c', join(folder, 'config'), '-g', globals],
      };
    });
  }

  static async caddy(upstream: string): Promise<Proxy> {
    return Proxy.#start('caddy', (port, folder) => {
      const site = sampleOf('caddyfile')
        .replace(/^\S+ \{/, `http://127.0.0.1:${port} {`)
        .replace('127.0.0.1:8081', upstream);
      const text = `{\n\tadmin off\n\tstorage file_system ${folder}\n}\n${site}\n`;
      return { text, command: [tool('caddy'), 'run', '--config', join(folder, 'config'), '--adapter', 'caddyfile'] };
    });
  }

  static async #start(
    name: string,
    setup: (
      port: number,
      folder: string,
    ) => { readonly text: string; readonly command: readonly [string, ...string[]] },
  ): Promise<Proxy> {
    const folder = mkdtempSync(join(tmpdir(), `ara-${name}-`));
    // nginx as root lets another user work, who must get to his temporary files.
    chmodSync(folder, 0o711);
    const port = await freePort();
    const { text, command } = setup(port, folder);
    const [file, ...args] = command;
    writeFileSync(join(folder, 'config'), text);
    const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, HOME: folder } });
    const proxy = new Proxy(port, text, folder, child);
    await until(
      `${name} passes on`,
      async () => child.exitCode !== null || (await http('GET', proxy.url, '/health/ready')).status === 200,
      BOOT_MS,
    ).catch((error: unknown) => {
      child.kill('SIGKILL');
      throw new Error(proxy.output, { cause: error });
    });
    if (child.exitCode !== null) throw new Error(`${name} ended:\n${proxy.output}\n${text}`);
    return proxy;
  }

  async stop(): Promise<void> {
    if (this.child.exitCode === null) {
      const exited = once(this.child, 'exit');
      this.child.kill('SIGTERM');
      const late = setTimeout(() => this.child.kill('SIGKILL'), 5_000);
      await exited;
      clearTimeout(late);
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** The page's block in this language. */
export function sampleOf(language: string): string {
  const found = samplesIn(PAGE).filter((sample) => sample.language === language);
  const [sample] = found;
  if (sample === undefined || found.length > 1) throw new Error(`${PAGE}: not one block of ${language}`);
  return sample.code;
}
