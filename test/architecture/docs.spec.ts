import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { createApplication } from '../../src/application';
import { loadConfig } from '../../src/config/load-config';
import { AraHttpAdapter } from '../../src/http/ara-http.adapter';

const ROOT = resolve(__dirname, '../..');

function filesIn(folder: string, ending: RegExp): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => ending.test(file))
    .map((file) => join(folder, file));
}

const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8');
const PAGES = ['README.md', 'README.zh-TW.md', 'CHANGELOG.md', 'CONTRIBUTING.md', ...filesIn('docs', /\.md$/)];
const SOURCES = filesIn('src', /\.(ts|lua|sql)$/);
const ALL_SOURCES = SOURCES.map(read).join('\n');

const withoutSamples = (text: string): string => text.replace(/^```[^]*?^```$/gm, '');
const prose = new Map(PAGES.map((page) => [page, withoutSamples(read(page))]));

/** Headings as GitHub makes anchors of them. */
function anchorsOf(page: string): string[] {
  return [...withoutSamples(read(page)).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

function linksOf(page: string): { target: string; file: string; anchor: string | undefined }[] {
  return [...prose.get(page)!.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target = '']) => target)
    .filter((target) => !/^https?:/.test(target))
    .map((target) => {
      const [path = '', anchor] = target.split('#');
      return { target, file: path === '' ? page : relative(ROOT, resolve(ROOT, dirname(page), path)), anchor };
    });
}

function inlineCode(page: string): string[] {
  return [...prose.get(page)!.matchAll(/`([^`\n]+)`/g)].map(([, code = '']) => code);
}

describe.each(PAGES)('%s', (page) => {
  it('links to files and headings that are there', () => {
    const broken = linksOf(page).filter(({ file, anchor }) => {
      if (!existsSync(join(ROOT, file))) return true;
      return anchor !== undefined && !anchorsOf(file).includes(anchor);
    });
    expect(broken).toEqual([]);
  });

  it('names files that are there', () => {
    const named = inlineCode(page).filter((code) => /^(src|test|docs|scripts|bin)\/[\w./-]+$/.test(code));
    expect(named.filter((file) => !existsSync(join(ROOT, file)))).toEqual([]);
  });

  it('names settings, codes and npm commands that are there', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    const names = inlineCode(page).flatMap((code) => code.match(/^[A-Z][A-Z\d]*(_[A-Z\d]+)+(?==|$)/g) ?? []);
    const commands = [...read(page).matchAll(/\bnpm run ([\w:]+)/g)].map(([, name = '']) => name);
    const isSource = (name: string): boolean => ALL_SOURCES.includes(name.replace(/_FILE$/, ''));
    expect(names.filter((name) => !isSource(name) && !isTestSwitch(name) && !isOfTenant(name))).toEqual([]);
    expect(commands.filter((name) => !(name in scripts))).toEqual([]);
  });
});

const isOfTenant = (name: string): boolean => /^(TENANT_)?ACME_CORP(_\w+)?$/.test(name);
const isTestSwitch = (name: string): boolean => /^((UPDATE|ARA_TEST)_|CENTRIFUGO_BIN$)/.test(name);

it('every page can be reached from the README', () => {
  const reached = new Set(['README.md']);
  for (const page of reached) {
    if (PAGES.includes(page)) for (const { file } of linksOf(page)) reached.add(file);
  }
  // A name that tools and habits look for; it leads on.
  const entries = ['docs/API.md'];
  expect(PAGES.filter((page) => !reached.has(page) && !entries.includes(page))).toEqual([]);
});

it('no two pages differ by case alone, for file systems that know none', () => {
  const lower = PAGES.map((page) => page.toLowerCase());
  expect(lower.filter((page, index) => lower.indexOf(page) !== index)).toEqual([]);
});

it('comments name pages and headings that are there', () => {
  const mentions = SOURCES.flatMap((file) =>
    [...read(file).matchAll(/(docs\/[\w./-]+\.md)(?:, "([^"]+)")?/g)].map(([, page = '', heading]) => ({
      file,
      page,
      heading,
    })),
  );
  const wrong = mentions.filter(
    ({ page, heading }) =>
      !PAGES.includes(page) || (heading !== undefined && !anchorsOf(page).includes(heading.replaceAll(' ', '-'))),
  );
  expect(mentions.length).toBeGreaterThan(0);
  expect(wrong).toEqual([]);
});

describe('docs/rest.md', () => {
  let paths: string[];

  beforeAll(async () => {
    const { config } = loadConfig({ env: { JWT_SECRET: 'x'.repeat(32), LOG_LEVEL: 'silent' }, cwd: tmpdir() });
    const app = await createApplication(config);
    await app.init();
    const adapter = app.getHttpAdapter();
    const routes = adapter instanceof AraHttpAdapter ? adapter.routes.routes : [];
    paths = routes.map(({ pattern }) => pattern.replace(/:(\w+)/g, '{$1}'));
    await app.close();
  });

  it('names every endpoint, or links to a page that does', () => {
    const pages = ['docs/rest.md', ...linksOf('docs/rest.md').map(({ file }) => file)];
    const named = pages.filter((file) => PAGES.includes(file)).flatMap(inlineCode);
    const documented = new Set(named.map((code) => code.replace(/^(GET|POST|PUT|DELETE) /, '')));
    expect(paths).toContain('/api/v1/notifications/send');
    expect(paths.filter((path) => !documented.has(path))).toEqual([]);
  });

  it('names no endpoint that the service has not', () => {
    const named = inlineCode('docs/rest.md').flatMap(
      (code) => /^(?:GET|POST|PUT|DELETE) (\/.*)$/.exec(code)?.[1] ?? [],
    );
    expect(named.length).toBeGreaterThan(20);
    expect(named.filter((path) => !paths.includes(path))).toEqual([]);
  });
});
