import { spawnSync } from 'node:child_process';
import { appendFileSync, cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { VERSION } from '../../src/version';

const ROOT = resolve(__dirname, '../..');
const COPIED = [
  'package.json',
  'package-lock.json',
  'CHANGELOG.md',
  'README.md',
  'src/version.ts',
  'scripts',
  'docs',
  'deploy',
  'docker-compose.yml',
];
const NOT_COPIED = new Set(['node_modules', 'images']);
const IDENTITY = Object.fromEntries(
  ['AUTHOR', 'COMMITTER'].flatMap((role) => [
    [`GIT_${role}_NAME`, 'Release Test'],
    [`GIT_${role}_EMAIL`, 'release@test.example'],
  ]),
);

interface Result {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

// The real script, in a repository made of the files of this one.
describe('npm run release', () => {
  let clone: string;

  beforeAll(() => {
    clone = mkdtempSync(join(tmpdir(), 'ara-release-'));
    const isCopied = (path: string): boolean => path === ROOT || !NOT_COPIED.has(basename(path));
    for (const entry of COPIED) {
      if (existsSync(join(ROOT, entry)))
        cpSync(join(ROOT, entry), join(clone, entry), { recursive: true, filter: isCopied });
    }
    git('init', '--quiet', '--initial-branch', 'main');
    git('add', '.');
    git('commit', '--quiet', '--message', 'start');
    git('branch', 'start');
  }, 60_000);

  afterEach(() => {
    git('reset', '--quiet', '--hard', 'start');
    for (const tag of git('tag').split('\n').filter(Boolean)) git('tag', '--delete', tag);
  });

  afterAll(() => {
    rmSync(clone, { recursive: true });
  });

  function run(command: string, args: readonly string[]): Result {
    // No configuration of whoever runs this: signing, hooks, templates.
    const env = { PATH: process.env['PATH'], HOME: clone, GIT_CONFIG_NOSYSTEM: '1', ...IDENTITY };
    return spawnSync(command, args, { cwd: clone, encoding: 'utf8', env });
  }

  function git(...args: string[]): string {
    const { status, stdout, stderr } = run('git', args);
    if (status !== 0) throw new Error(`git ${args.join(' ')}: ${stderr}`);
    return stdout.trim();
  }

  const release = (...args: string[]): Result => run(process.execPath, ['scripts/release.mjs', ...args]);
  const read = (file: string): string => readFileSync(join(clone, file), 'utf8');

  it('sets the version wherever it is told, moves the changes, commits and tags', () => {
    const { status, stdout, stderr } = release('7.8.9');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(git('log', '-1', '--format=%s')).toBe('chore(release): 7.8.9');
    expect(git('tag', '--points-at', 'HEAD')).toBe('v7.8.9');
    expect(git('cat-file', '-t', 'v7.8.9')).toBe('tag');
    expect(git('status', '--porcelain')).toBe('');

    const documents = ['asyncapi.json', 'deployment.md', 'getting-started.md', 'openapi.json'];
    expect(git('diff', '--name-only', 'HEAD~1').split('\n')).toEqual([
      ...['CHANGELOG.md', 'deploy/helm/ara/Chart.yaml', 'docker-compose.yml'],
      ...documents.map((name) => `docs/${name}`),
      ...['package-lock.json', 'package.json', 'src/version.ts'],
    ]);
    // Nowhere else is it told.
    const told = ['src', 'docs', 'deploy', 'docker-compose.yml'];
    expect(run('git', ['grep', '--files-with-matches', '--fixed-strings', VERSION, '--', ...told]).stdout).toBe('');
    const grown = git('diff', '--numstat', 'HEAD~1')
      .split('\n')
      .filter((line) => !/^([1-4])\t\1\t/.test(line));
    expect(grown).toEqual([expect.stringMatching(/^\d\t\d\tCHANGELOG.md$/)]);
    expect(read('src/version.ts')).toContain(`VERSION = '7.8.9'`);
    expect(read('package-lock.json').match(/"version": "7\.8\.9"/g)).toHaveLength(2);
    expect(read('CHANGELOG.md')).toMatch(/\n## Unreleased\n\n## 7\.8\.9 – \d{4}-\d\d-\d\d\n\n### Added\n\n- /);
    expect(stdout).toContain('git push --follow-tags');
    for (const tag of ['7.8.9', '7.8', '7', 'latest']) {
      expect(stdout).toContain(`docker push ara:${tag}\n`);
    }

    // What has no changes since has nothing to release.
    expect(release('7.9.0')).toMatchObject({ status: 1, stderr: expect.stringContaining('nothing under') as string });
  });

  it('the version that stands there can be released as long as there is no tag of it', () => {
    expect(release(VERSION).status).toBe(0);
    expect(release(VERSION)).toMatchObject({ status: 1, stderr: `The tag v${VERSION} is there already.\n` });
  });

  it('before a release come versions that no short image tag follows', () => {
    const { status, stdout } = release('7.8.9-rc.1', '--dry-run');
    expect(status).toBe(0);
    expect(stdout.match(/docker push .*/g)).toEqual(['docker push ara:7.8.9-rc.1']);
  });

  it('--dry-run changes nothing', () => {
    const { status, stdout } = release('7.8.9', '--dry-run');
    expect({ status, first: stdout.split('\n')[0] }).toEqual({
      status: 0,
      first: expect.stringMatching(/^Would change: .*CHANGELOG\.md/) as string,
    });
    expect(git('status', '--porcelain')).toBe('');
    expect(git('tag')).toBe('');
    expect(git('rev-list', '--count', 'HEAD')).toBe('1');
  });

  it.each([[[]], [['1.2']], [['v1.2.3']], [['1.2.3', '4.5.6']], [['1.2.3', '--force']]])(
    '%j is wrong usage',
    (args) => {
      expect(release(...args)).toMatchObject({ status: 2, stderr: expect.stringContaining('Usage:') as string });
    },
  );

  it('--help explains', () => {
    expect(release('--help')).toMatchObject({ status: 0, stdout: expect.stringContaining('--dry-run') as string });
  });

  it('refuses to go back, and to take along what is not committed', () => {
    expect(release('0.9.0')).toMatchObject({ status: 1, stderr: expect.stringContaining('is below') as string });
    appendFileSync(join(clone, 'README.md'), 'x');
    expect(release('7.8.9')).toMatchObject({ status: 1, stderr: expect.stringContaining('uncommitted') as string });
    expect(git('tag')).toBe('');
  });
});
