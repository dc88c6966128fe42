import { type ChildProcess, spawn, spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, posix, resolve } from 'node:path';
import type { Env } from './ara-process';

const ROOT = resolve(__dirname, '../..');
const STEP_MS = 600_000;

interface Instruction {
  readonly name: string;
  readonly text: string;
}

export interface RunOptions {
  readonly env?: Env;
  /** A folder that the process finds, read-only, as /run/ara. */
  readonly secrets?: string;
}

interface Stage {
  /** What its instructions have put there, on top of this machine's own files. */
  readonly layer: string;
  workdir: string;
  user: string;
  readonly env: Record<string, string>;
  entrypoint: readonly string[];
  command: readonly string[];
  healthcheck: readonly string[];
}

/**
 * What the Dockerfile makes, without an engine: each instruction is followed in a root file system that lies over this
 * machine's own, so the base image is this machine with its Node.js, and `npm ci` is not run again. Needs root and a kernel with overlayfs.
 */
export class Image {
  readonly #mounts: string;

  private constructor(
    private readonly folder: string,
    private readonly stage: Stage,
  ) {
    this.#mounts = join(folder, 'mounts');
    mkdirSync(this.#mounts);
  }

  /** Takes about half a minute. */
  static build(): Image {
    const folder = mkdtempSync(join(tmpdir(), 'ara-image-'));
    const context = join(folder, 'context');
    copyContext(context);
    const stages = new Map<string, Stage>();
    const args = new Map<string, string>();
    let stage: Stage | undefined;
    try {
      for (const { name, text } of instructionsOf(readFileSync(join(ROOT, 'Dockerfile'), 'utf8'))) {
        const value = text.replace(/\$\{(\w+)\}/g, (whole, arg: string) => args.get(arg) ?? whole);
        if (name === 'ARG') args.set(...pairOf(value));
        else if (name === 'FROM') {
          const [, , as] = value.split(/\s+/);
          stage = newStage(join(folder, `stage-${stages.size}`));
          stages.set(as ?? 'image', stage);
        } else if (stage !== undefined) follow(stage, name, value, { context, stages });
      }
      if (stage === undefined) throw new Error('no FROM');
      return new Image(folder, stage);
    } catch (error) {
      rmSync(folder, { recursive: true, force: true });
      throw error;
    }
  }

  get env(): Env {
    return this.stage.env;
  }

  /** `ENTRYPOINT` and `CMD`. */
  get command(): readonly string[] {
    return [...this.stage.entrypoint, ...this.stage.command];
  }

  get healthcheck(): readonly string[] {
    return this.stage.healthcheck;
  }

  /** Paths that the image holds beyond its base. */
  files(): string[] {
    return readdirSync(this.stage.layer, { recursive: true, encoding: 'utf8' });
  }

  get bytes(): number {
    return this.files().reduce((sum, path) => {
      const entry = statSync(join(this.stage.layer, path), { throwIfNoEntry: false });
      return sum + (entry?.isFile() === true ? entry.size : 0);
    }, 0);
  }

  /** As `docker run --read-only --tmpfs /tmp --cap-drop ALL` would; the process is the command itself. */
  start(command: readonly string[], options: RunOptions = {}): ChildProcess {
    const [file, args] = this.#inside(command, options);
    return spawn(file, args, { env: this.#environment(options.env), stdio: ['ignore', 'pipe', 'pipe'] });
  }

  /** The same, to its end. */
  run(command: readonly string[], options: RunOptions = {}): SpawnSyncReturns<string> {
    const [file, args] = this.#inside(command, options);
    return spawnSync(file, args, { env: this.#environment(options.env), encoding: 'utf8', timeout: 60_000 });
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  #inside(command: readonly string[], { secrets }: RunOptions): [string, string[]] {
    const root = mkdtempSync(join(this.#mounts, 'root-'));
    const work = mkdtempSync(join(this.#mounts, 'work-'));
    const [uid = '0', gid = uid] = this.stage.user.split(':');
    const script = [
      // Several at a time share the layer: none can write into it.
      `mount -t overlay overlay -o ro,lowerdir=/,upperdir=${this.stage.layer},workdir=${work} ${root}`,
      ...devices(root),
      `mount -t tmpfs tmpfs ${root}/tmp`,
      ...(secrets === undefined
        ? []
        : [
            `mount -t tmpfs tmpfs ${root}/run`,
            `mkdir ${root}/run/ara`,
            `mount --bind ${secrets} ${root}/run/ara`,
            `mount -o remount,bind,ro ${root}/run/ara`,
          ]),
      `exec chroot ${root} setpriv --reuid ${uid} --regid ${gid} --clear-groups --bounding-set=-all --no-new-privs \\`,
      `  -- sh -c 'cd ${this.stage.workdir} && exec "$@"' sh "$@"`,
    ];
    return ['unshare', ['--mount', 'sh', '-ec', script.join('\n'), 'sh', ...command]];
  }

  #environment(env: Env = {}): Env {
    return { PATH: process.env['PATH'] ?? '', ...this.stage.env, ...env };
  }
}

/** Instructions in order, continued lines joined, without comments. */
export function instructionsOf(dockerfile: string): Instruction[] {
  return dockerfile
    .replace(/^\s*#.*\n/gm, '')
    .replace(/\\\n/g, ' ')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const [, name = '', text = ''] = /^(\w+)\s+(.*)$/.exec(line) ?? [];
      return { name, text: text.trim() };
    });
}

interface Sources {
  readonly context: string;
  readonly stages: ReadonlyMap<string, Stage>;
}

function follow(stage: Stage, name: string, value: string, sources: Sources): void {
  switch (name) {
    case 'WORKDIR':
      stage.workdir = value;
      mkdirSync(join(stage.layer, value), { recursive: true });
      return;
    case 'COPY':
      copy(stage, value, sources);
      return;
    case 'RUN':
      runStep(stage, value);
      return;
    case 'ENV':
      for (const pair of value.split(/\s+/)) {
        const [variable, text] = pairOf(pair);
        stage.env[variable] = text;
      }
      return;
    case 'USER':
      stage.user = value;
      return;
    case 'ENTRYPOINT':
      stage.entrypoint = JSON.parse(value) as string[];
      return;
    case 'CMD':
      stage.command = JSON.parse(value) as string[];
      return;
    case 'HEALTHCHECK':
      stage.healthcheck = JSON.parse(value.replace(/^.*?CMD /, '')) as string[];
      return;
    case 'LABEL':
    case 'EXPOSE':
      return;
    default:
      throw new Error(`nobody has told this test what ${name} does`);
  }
}

function copy(stage: Stage, value: string, { context, stages }: Sources): void {
  const words = value.split(/\s+/);
  const from = words[0]?.startsWith('--from=') === true ? words.shift()?.replace('--from=', '') : undefined;
  const source = from === undefined ? context : stages.get(from)?.layer;
  const target = words.pop();
  if (source === undefined || target === undefined) throw new Error(`COPY ${value}`);
  const to = join(stage.layer, posix.resolve(stage.workdir, target));
  for (const word of words) {
    const path = join(source, word);
    if (from !== undefined && statSync(path).isDirectory() && spawnSync('cp', ['-al', path, to]).status === 0) continue;
    const isInto = words.length > 1 || target.endsWith('/') || target === '.';
    cpSync(path, isInto && statSync(path).isFile() ? join(to, basename(path)) : to, { recursive: true });
  }
}

function runStep(stage: Stage, command: string): void {
  if (command.startsWith('npm ci ')) {
    linkPackages(join(stage.layer, stage.workdir));
    return;
  }
  const root = `${stage.layer}-root`;
  const work = `${stage.layer}-work`;
  for (const folder of [root, work]) mkdirSync(folder, { recursive: true });
  const script = [
    `mount -t overlay overlay -o lowerdir=/,upperdir=${stage.layer},workdir=${work} ${root}`,
    ...devices(root),
    `exec chroot ${root} sh -ec 'cd ${stage.workdir} && exec sh -ec "$1"' sh "$1"`,
  ];
  const { status, stdout, stderr, error } = spawnSync(
    'unshare',
    ['--mount', 'sh', '-ec', script.join('\n'), 'sh', command],
    {
      env: {
        ...stage.env,
        PATH: process.env['PATH'] ?? '',
        HOME: process.env['HOME'] ?? '/root',
        // The packages are the ones that the tests run with: no need to ask anybody for them once more.
        npm_config_prefer_offline: 'true',
      },
      encoding: 'utf8',
      timeout: STEP_MS,
    },
  );
  if (status !== 0) throw new Error(`RUN ${command}: ${error?.message ?? ''}\n${stdout}${stderr}`);
}

/** The one step that is not taken: `npm ci` with this lock has made the packages that these tests run with. */
function linkPackages(folder: string): void {
  const packages = join(folder, 'node_modules');
  const list = join(packages, '.package-lock.json');
  const isOneDisk = spawnSync('cp', ['-al', join(ROOT, 'node_modules'), folder]).status === 0;
  if (!isOneDisk) cpSync(join(ROOT, 'node_modules'), packages, { recursive: true, verbatimSymlinks: true });
  rmSync(join(packages, '.cache'), { recursive: true, force: true });
  // npm writes into this file, which must not be the one of the tests.
  rmSync(list);
  cpSync(join(ROOT, 'node_modules/.package-lock.json'), list);
}

const devices = (root: string): string[] => [`mount --rbind /dev ${root}/dev`, `mount -t proc proc ${root}/proc`];

function newStage(layer: string): Stage {
  mkdirSync(layer);
  return { layer, workdir: '/', user: '0:0', env: {}, entrypoint: [], command: [], healthcheck: [] };
}

function pairOf(text: string): [string, string] {
  const at = text.indexOf('=');
  return [text.slice(0, at), text.slice(at + 1)];
}

/** What an engine is sent: the repository, less what .dockerignore excludes. */
function copyContext(to: string): void {
  const rules = readFileSync(join(ROOT, '.dockerignore'), 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => ({ isExcluded: !line.startsWith('!'), pattern: patternOf(line.replace(/^!/, '')) }));
  const isIn = (path: string): boolean => rules.findLast(({ pattern }) => pattern.test(path))?.isExcluded !== true;
  const walk = (folder: string): void => {
    for (const entry of readdirSync(join(ROOT, folder), { withFileTypes: true })) {
      const path = posix.join(folder, entry.name);
      if (path === 'node_modules' || path === '.git') continue;
      if (entry.isDirectory()) walk(path);
      else if (isIn(path)) cpSync(join(ROOT, path), join(to, path));
    }
  };
  mkdirSync(to);
  walk('');
}

/** A pattern stands for the path and for all that lies under it. */
function patternOf(pattern: string): RegExp {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replace(/\*\*\/|\*/g, (stars) => (stars === '*' ? '[^/]*' : '(?:.*/)?'));
  return new RegExp(`^${source}(?:/.*)?$`);
}
