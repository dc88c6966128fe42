import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

const ROOT = resolve(__dirname, '../..');

type Tree = Readonly<Record<string, string>>;

/** Runs the real rules over trees made up here; gives back `rule: file` for each violation, tree by tree. */
function violationsOf(trees: readonly Tree[]): string[][] {
  const { stdout, stderr } = spawnSync(
    process.execPath,
    [join(ROOT, 'test/support/cruise.mjs'), ...trees.map(written)],
    { encoding: 'utf8' },
  );
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout) as string[][];
}

/** A folder that holds the tree, the rules and the packages. */
function written(tree: Tree): string {
  const folder = mkdtempSync(join(tmpdir(), 'ara-boundaries-'));
  for (const file of ['package.json', '.dependency-cruiser.cjs']) cpSync(join(ROOT, file), join(folder, file));
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  for (const [name, text] of Object.entries(tree)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return folder;
}

/** A tree in which nothing is wrong. */
const SOUND = {
  'src/main.ts': `import './app.module'; import './cli/welcome'; export {};`,
  'src/app.module.ts': `import './rest/controller'; import './realtime/gateway'; import './redis-trigger/service';`,
  'src/cli/main.ts': `import './token';`,
  'src/cli/token.ts': `import '../config/config';`,
  'src/cli/welcome.ts': `import './token';`,
  'src/rest/controller.ts': `import '../dispatch/dispatcher'; import '../template/template'; import '../queue/queue.spec-free';`,
  'src/realtime/gateway.ts': `import '../dispatch/dispatcher'; import '../auth/auth';`,
  'src/redis-trigger/service.ts': `import '../dispatch/dispatcher'; import '../tenant/tenant'; import '../redis-ha/redis';`,
  'src/dispatch/dispatcher.ts': `import '../connection/registry'; import '../ack/ack'; import '../cluster/bus'; import '../queue/queue.spec-free';`,
  'src/connection/registry.ts': `import type { N } from '../notification/notification'; import '@nestjs/common'; import 'node:fs'; export type R = N;`,
  'src/connection/registry.spec.ts': `import '../tenant/tenant'; import 'fast-check';`,
  'src/queue/queue.spec-free.ts': `import '../redis-ha/redis'; import '../postgres/postgres';`,
  'src/ack/ack.ts': 'export {};',
  'src/auth/auth.ts': 'export {};',
  'src/cluster/bus.ts': 'export {};',
  'src/tenant/tenant.ts': 'export {};',
  'src/template/template.ts': 'export {};',
  'src/redis-ha/redis.ts': `import '../config/config'; import '../telemetry/metrics';`,
  'src/postgres/postgres.ts': 'export {};',
  'src/telemetry/metrics.ts': 'export {};',
  'src/config/config.ts': `import '../protocol/raw-json';`,
  'src/notification/notification.ts': `import '../protocol/raw-json'; export type N = string;`,
  'src/protocol/raw-json.ts': 'export {};',
};

/** What has to be found when a tree is changed so. */
const UNSOUND: readonly [string, Tree][] = [
  [
    'kernel-knows-the-kernel-only: src/protocol/raw-json.ts',
    { 'src/protocol/raw-json.ts': `import '@nestjs/common';` },
  ],
  ['kernel-knows-the-kernel-only: src/protocol/raw-json.ts', { 'src/protocol/raw-json.ts': `import 'node:fs';` }],
  [
    'kernel-knows-the-kernel-only: src/protocol/raw-json.ts',
    { 'src/protocol/raw-json.ts': `import '../telemetry/metrics';` },
  ],
  ['layers-ack: src/ack/ack.ts', { 'src/ack/ack.ts': `import '../tenant/tenant';` }],
  ['layers-ack: src/ack/ack.ts', { 'src/ack/ack.ts': `import type { T } from '../tenant/tenant'; export type U = T;` }],
  ['layers-ack: src/ack/ack.ts', { 'src/ack/ack.ts': `export const late = () => import('../tenant/tenant');` }],
  ['layers-telemetry: src/telemetry/metrics.ts', { 'src/telemetry/metrics.ts': `import '../ack/ack';` }],
  ['layers-dispatch: src/dispatch/dispatcher.ts', { 'src/dispatch/dispatcher.ts': `import '../tenant/tenant';` }],
  ['layers-realtime: src/realtime/gateway.ts', { 'src/realtime/gateway.ts': `import '../template/template';` }],
  ['layers-redis-trigger: src/redis-trigger/service.ts', { 'src/redis-trigger/service.ts': `import '../auth/auth';` }],
  ['layers-cli: src/cli/token.ts', { 'src/cli/token.ts': `import '../auth/auth';` }],
  [
    'every-folder-has-a-layer: src/app.module.ts',
    { 'src/new/x.ts': 'export {};', 'src/app.module.ts': `import './new/x'; ${SOUND['src/app.module.ts']}` },
  ],
  [
    'nobody-imports-the-root: src/rest/controller.ts',
    { 'src/rest/controller.ts': `import '../root'; ${SOUND['src/rest/controller.ts']}`, 'src/root.ts': 'export {};' },
  ],
  [
    'no-cycles: src/ack/ack.ts',
    {
      'src/ack/ack.ts': `import type { B } from './b'; export type A = B;`,
      'src/ack/b.ts': `import type { A } from './ack'; export type B = A;`,
    },
  ],
  [
    'every-file-is-used: src/ack/forgotten.ts',
    { 'src/ack/forgotten.ts': 'export {};', 'src/ack/forgotten.spec.ts': `import './forgotten';` },
  ],
  [
    'no-tests-in-the-product: src/ack/ack.ts',
    { 'src/ack/ack.ts': `import './ack.spec';`, 'src/ack/ack.spec.ts': 'export {};' },
  ],
  ['no-development-package-in-the-product: src/ack/ack.ts', { 'src/ack/ack.ts': `import 'fast-check';` }],
  ['everything-resolves: src/ack/ack.ts', { 'src/ack/ack.ts': `import './nowhere';` }],
];

describe('the rules about who may import whom', () => {
  let sound: string[] | undefined;
  let unsound: string[][];

  beforeAll(() => {
    [sound, ...unsound] = violationsOf([SOUND, ...UNSOUND.map(([, changes]) => ({ ...SOUND, ...changes }))]);
  });

  it('let a sound tree pass', () => {
    expect(sound).toEqual([]);
  });

  it.each(UNSOUND.map(([expected], index) => [expected, index] as const))('%s', (expected, index) => {
    expect(unsound[index]).toContain(expected);
  });
});
