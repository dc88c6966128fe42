import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { VERSION } from '../../src/version';

const ROOT = resolve(__dirname, '../..');
const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8');

interface Manifest {
  readonly version: string;
  readonly dependencies: Record<string, string>;
  readonly optionalDependencies: Record<string, string>;
  readonly devDependencies: Record<string, string>;
}
interface Locked {
  readonly version?: string;
  readonly integrity?: string;
  readonly resolved?: string;
  readonly dev?: boolean;
}
const manifest = JSON.parse(read('package.json')) as Manifest;
const lock = JSON.parse(read('package-lock.json')) as { version: string; packages: Record<string, Locked> };
const product: Record<string, string> = { ...manifest.dependencies, ...manifest.optionalDependencies };
const all: Record<string, string> = { ...product, ...manifest.devDependencies };

describe('the lock', () => {
  const packages = Object.entries(lock.packages).filter(([path]) => path !== '');

  it('names no address that a package was downloaded from', () => {
    expect(packages.filter(([, { resolved }]) => resolved !== undefined)).toEqual([]);
  });

  it('has a version and a checksum for every package', () => {
    const bare = packages.filter(
      ([, { version, integrity }]) => version === undefined || !/^sha512-/.test(integrity ?? ''),
    );
    expect(bare).toEqual([]);
  });

  it('agrees with package.json, where every version is exact', () => {
    for (const [name, wanted] of Object.entries(all)) {
      expect([name, lock.packages[`node_modules/${name}`]?.version]).toEqual([name, wanted]);
    }
  });
});

it('docs/adr/0002-stack.md has a reason for every direct dependency, and no reason without one', () => {
  const rows = [...read('docs/adr/0002-stack.md').matchAll(/^\| (`[^|]+) \|/gm)].map(([, cell = '']) => {
    // `@nestjs/common`, `core` and the like share the scope of the first.
    const names = [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name);
    const scope = names[0]?.startsWith('@nestjs/') === true ? '@nestjs/' : '';
    return names.map((name) => (scope !== '' && `${scope}${name}` in all ? `${scope}${name}` : name));
  });
  const reasons = new Set(rows.flat());
  const covered = (name: string): boolean => reasons.has(name) || reasons.has(`${name.split('/', 1)[0]}/*`);
  expect(Object.keys(all).filter((name) => !covered(name))).toEqual([]);
  expect([...reasons].filter((name) => !name.endsWith('/*') && !(name in all))).toEqual([]);
});

it('one version: package.json, the lock, /health and both documents of the API', () => {
  const documents = ['docs/openapi.json', 'docs/asyncapi.json'].map(
    (file) => (JSON.parse(read(file)) as { info: { version: string } }).info.version,
  );
  expect([manifest.version, lock.version, lock.packages['']?.version, ...documents]).toEqual(Array(5).fill(VERSION));
});

describe('npm run licenses', () => {
  const run = (cwd: string, ...args: string[]): { status: number | null; stdout: string; stderr: string } =>
    spawnSync(process.execPath, [join(ROOT, 'scripts/licenses.mjs'), ...args], { cwd, encoding: 'utf8' });

  it('finds nothing in a production installation that is not allowed, and leaves development tools out', () => {
    const { status, stdout, stderr } = run(ROOT, '--json');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const paths = (JSON.parse(stdout) as { path: string }[]).map(({ path }) => path);
    expect(paths).toEqual(expect.arrayContaining(Object.keys(product).map((name) => `node_modules/${name}`)));
    expect(paths).not.toContain('node_modules/jest');
    expect(run(ROOT).stdout).toMatch(/packages of a production installation, 0 not allowed\n$/);
  });

  it.each([
    ['GPL-3.0-only', false],
    ['(MIT OR GPL-3.0-only)', true],
    ['(MIT AND GPL-3.0-only)', false],
    ['SEE LICENSE IN LICENSE', false],
    [undefined, false],
  ])('a package with the licence %s: allowed %s', (license, isAllowed) => {
    const folder = mkdtempSync(join(tmpdir(), 'ara-licenses-'));
    const packages = { '': {}, 'node_modules/x': { version: '1.0.0', license }, 'node_modules/y': { dev: true } };
    writeFileSync(join(folder, 'package-lock.json'), JSON.stringify({ packages }));
    const { status, stderr } = run(folder);
    expect(status).toBe(isAllowed ? 0 : 1);
    if (!isAllowed) expect(stderr).toContain('Not allowed: node_modules/x@1.0.0');
    rmSync(folder, { recursive: true });
  });

  it('reads the old spelling of a licence from the package itself', () => {
    const folder = mkdtempSync(join(tmpdir(), 'ara-licenses-'));
    mkdirSync(join(folder, 'node_modules/x'), { recursive: true });
    writeFileSync(join(folder, 'node_modules/x/package.json'), JSON.stringify({ licenses: [{ type: 'MIT' }] }));
    writeFileSync(join(folder, 'package-lock.json'), JSON.stringify({ packages: { 'node_modules/x': {} } }));
    expect(run(folder)).toMatchObject({ status: 0, stdout: expect.stringContaining('1  MIT') as string });
    rmSync(folder, { recursive: true });
  });
});

it('npm run sbom lists exactly what a production installation contains, without network', () => {
  const output = execFileSync('npm', ['run', '--silent', 'sbom'], {
    cwd: ROOT,
    encoding: 'utf8',
    env: { ...process.env, npm_config_offline: 'true' },
    maxBuffer: 64 * 1024 * 1024,
  });
  const sbom = JSON.parse(output) as {
    bomFormat: string;
    metadata: { component: { name: string; version: string } };
    components: { purl: string }[];
    dependencies: { ref: string; dependsOn: string[] }[];
  };
  expect(sbom.bomFormat).toBe('CycloneDX');
  expect(sbom.metadata.component).toMatchObject({ name: 'ara', version: VERSION });
  const purls = Object.entries(lock.packages)
    .filter(([path, { dev }]) => path !== '' && dev !== true)
    .map(
      ([path, { version = '' }]) => `pkg:npm/${path.replace(/^.*node_modules\//, '').replace('@', '%40')}@${version}`,
    );
  expect([...new Set(sbom.components.map(({ purl }) => purl))].sort()).toEqual([...new Set(purls)].sort());
  const refs = new Set(sbom.dependencies.map(({ ref }) => ref));
  expect(sbom.dependencies.flatMap(({ dependsOn }) => dependsOn).filter((ref) => !refs.has(ref))).toEqual([]);
}, 60_000);

describe('the forge', () => {
  it('checks by .ci/run, with commands that are there and no more rights than it needs', () => {
    const ci = read('.github/workflows/ci.yml');
    expect(ci).toMatch(/^permissions:\n {2}contents: read\n$/m);
    const commands = [...ci.matchAll(/^ +- run: (.*)$/gm)].map(([, command = '']) => command);
    expect(commands.filter((command) => command.endsWith('.ci/run'))).toHaveLength(1);
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    const named = commands.flatMap((command) => command.match(/(?<=npm run (--silent )?)(?!--)[\w:]+/g) ?? []);
    expect(named).not.toEqual([]);
    expect(named.filter((name) => !(name in scripts))).toEqual([]);
  });

  it.each(['bug', 'feature'])('has a form for a %s, whose fields can be told apart', (name) => {
    const form = read(`.github/ISSUE_TEMPLATE/${name}.yml`);
    expect(form).toMatch(/^name: .+\ndescription: .+\nlabels: \[\w+\]\nbody:\n/);
    const fields = form.match(/^ {2}- type: (input|textarea|dropdown)$/gm) ?? [];
    const ids = form.match(/^ {4}id: \w+$/gm) ?? [];
    expect(new Set(ids).size).toBe(fields.length);
    expect(form.match(/^ {6}label: .+$/gm)).toHaveLength(fields.length);
  });
});
