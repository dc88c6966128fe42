import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { spawnSync } from 'node:child_process';
import { transformSync } from '@swc/core';
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core';
import { compileScript, parse } from 'vue/compiler-sfc';

const ROOT = resolve(__dirname, '../..');
const NAMES = ['chromium', 'chromium-browser', 'google-chrome'];
const LAUNCH_MS = 60_000;

/** The distribution's Chromium. Throws where there is none; scripts/ensure-packages.mjs installs it. */
export function launchBrowser(): Promise<Browser> {
  const found = NAMES.find((name) => spawnSync('which', [name]).status === 0);
  if (found === undefined) throw new Error(`none of ${NAMES.join(', ')} is installed`);
  const executablePath = spawnSync('which', [found], { encoding: 'utf8' }).stdout.trim();
  return chromium.launch({ executablePath, timeout: LAUNCH_MS, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
}

/**
 * A web site made of the files in a folder, and its visitors. Pages may import `react`, `react-dom/client` and `vue`;
 * `.jsx` and `.vue` are compiled, as a bundler would. Nothing comes from anywhere but this machine.
 */
export class BrowserSite {
  readonly tabs: BrowserTab[] = [];

  private constructor(
    private readonly server: Server,
    private readonly context: BrowserContext,
  ) {}

  static async open(
    browser: Browser,
    folder: string,
    globals: Readonly<Record<string, unknown>>,
  ): Promise<BrowserSite> {
    const server = createServer((request, response) => {
      const path = new URL(request.url ?? '/', 'http://site').pathname;
      try {
        const [type, text] = serve(folder, path);
        response.writeHead(200, { 'content-type': type }).end(text);
      } catch (error) {
        response.writeHead(404).end(String(error));
      }
    });
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    const context = await browser.newContext();
    await context.addInitScript(`Object.assign(globalThis, ${JSON.stringify(globals)})`);
    return new BrowserSite(server, context);
  }

  /** A new tab that runs a file of the folder as a module. */
  async visit(file: string): Promise<BrowserTab> {
    const { port } = this.server.address() as AddressInfo;
    const tab = new BrowserTab(await this.context.newPage());
    this.tabs.push(tab);
    await tab.page.goto(`http://127.0.0.1:${port}/?${file}`);
    return tab;
  }

  async close(): Promise<void> {
    await this.context.close();
    this.server.closeAllConnections();
    this.server.close();
  }
}

export class BrowserTab {
  /** What the page wrote to its console, and the errors that nothing caught. */
  output = '';

  constructor(readonly page: Page) {
    page.on('console', (message) => (this.output += `${message.text()}\n`));
    page.on('pageerror', (error) => (this.output += `${error.stack ?? error.message}\n`));
  }

  /** What somebody who looks at the page reads, without empty lines. */
  async text(): Promise<string> {
    return (await this.page.locator('body').innerText()).replace(/\n\s*\n/g, '\n');
  }
}

const IMPORT_MAP = JSON.stringify({
  imports: {
    react: '/modules/react',
    'react/jsx-runtime': '/modules/react/jsx-runtime',
    'react-dom/client': '/modules/react-dom/client',
    vue: '/modules/vue',
  },
});

function serve(folder: string, path: string): readonly [type: string, text: string] {
  if (path === '/') return ['text/html; charset=utf-8', INDEX];
  if (path === '/favicon.ico') return ['image/x-icon', ''];
  return ['text/javascript; charset=utf-8', scriptAt(folder, path)];
}

/** Its query names the module to run: `/?app.js`. */
const INDEX = `<!doctype html><meta charset="utf-8"><title>A page</title><div id="app"></div>
<script type="importmap">${IMPORT_MAP}</script>
<script type="module">import('/' + location.search.slice(1))</script>`;

function scriptAt(folder: string, path: string): string {
  if (path === '/modules/vue')
    return readFileSync(join(ROOT, 'node_modules/vue/dist/vue.runtime.esm-browser.prod.js'), 'utf8');
  if (path.startsWith('/modules/')) return path === REACT_PATH ? REACT : reexport(path.slice('/modules/'.length));
  const code = readFileSync(join(folder, path), 'utf8');
  if (path.endsWith('.vue')) return compileVue(code, path);
  if (path.endsWith('.jsx')) return compileJsx(code);
  return code;
}

function compileVue(code: string, path: string): string {
  const { descriptor, errors } = parse(code, { filename: path });
  if (errors[0] !== undefined) throw errors[0];
  return compileScript(descriptor, { id: path, inlineTemplate: true }).content;
}

function compileJsx(code: string): string {
  const jsc = {
    parser: { syntax: 'ecmascript', jsx: true },
    target: 'es2022',
    transform: { react: { runtime: 'automatic' } },
  } as const;
  return transformSync(code, { configFile: false, swcrc: false, jsc, module: { type: 'es6' } }).code;
}

// React comes as CommonJS only. All of it is one script here, so that there is one React whoever imports it.
const REACT_PATH = '/modules/all-of-react';
const fromRoot = createRequire(join(ROOT, 'package.json'));
const REACT = commonJsAsModule(['react', 'react/jsx-runtime', 'react-dom/client']);

function reexport(name: string): string {
  const exported = Object.keys(fromRoot(name) as object).filter((key) => key !== 'default');
  return [
    `import require from '${REACT_PATH}';`,
    `const module = require('${fromRoot.resolve(name)}');`,
    'export default module;',
    `export const { ${exported.join(', ')} } = module;`,
  ].join('\n');
}

function commonJsAsModule(entries: readonly string[]): string {
  const files = new Map<string, string>();
  const add = (file: string): void => {
    if (files.has(file)) return;
    const requireHere = createRequire(file);
    files.set(file, '');
    const code = readFileSync(file, 'utf8').replace(/require\(["']([^"']+)["']\)/g, (text, name: string) => {
      if (name.includes('development')) return text;
      const needed = requireHere.resolve(name);
      add(needed);
      return `require('${needed}')`;
    });
    files.set(file, code);
  };
  for (const entry of entries) add(fromRoot.resolve(entry));
  const modules = [...files].map(([file, code]) => `'${file}': (module, exports, require, process) => {${code}\n}`);
  return `const files = {${modules.join(',\n')}};
const loaded = new Map();
const process = { env: { NODE_ENV: 'production' } };
export default function require(file) {
  if (!loaded.has(file)) {
    const module = { exports: {} };
    loaded.set(file, module);
    files[file](module, module.exports, require, process);
  }
  return loaded.get(file).exports;
}`;
}
