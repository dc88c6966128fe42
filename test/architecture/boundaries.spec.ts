import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

const ROOT = resolve(__dirname, '../..');

interface Violation {
  readonly from: string;
  readonly rule: { readonly name: string };
}

/** Runs the real rules over a tree made up here; gives back `rule: file` for each violation. */
function violationsOf(files: Record<string, string>): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'ara-boundaries-'));
  for (const file of ['package.json', '.dependency-cruiser.cjs']) cpSync(join(ROOT, file), join(folder, file));
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  const cruiser = join(ROOT, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs');
  const { stdout } = spawnSync(process.execPath, [cruiser, 'src', '--output-type', 'json'], {
    cwd: folder,
    encoding: 'utf8',
  });
  const { summary } = JSON.parse(stdout) as { summary: { violations: Violation[] } };
  return summary.violations.map(({ rule, from }) => `${rule.name}: ${from}`).sort();
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

describe('the rules about who may import whom', () => {
  it('let a sound tree pass', () => {
    expect(violationsOf(SOUND)).toEqual([]);
  });

  it.each<[string, Record<string, string>]>([
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
    [
      'layers-ack: src/ack/ack.ts',
      { 'src/ack/ack.ts': `import type { T } from '../tenant/tenant'; export type U = T;` },
    ],
    ['layers-ack: src/ack/ack.ts', { 'src/ack/ack.ts': `export const late = () => import('../tenant/tenant');` }],
    ['layers-telemetry: src/telemetry/metrics.ts', { 'src/telemetry/metrics.ts': `import '../ack/ack';` }],
    ['layers-dispatch: src/dispatch/dispatcher.ts', { 'src/dispatch/dispatcher.ts': `import '../tenant/tenant';` }],
    ['layers-realtime: src/realtime/gateway.ts', { 'src/realtime/gateway.ts': `import '../template/template';` }],
    [
      'layers-redis-trigger: src/redis-trigger/service.ts',
      { 'src/redis-trigger/service.ts': `import '../auth/auth';` },
    ],
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
  ])('%s', (expected, changes) => {
    expect(violationsOf({ ...SOUND, ...changes })).toContain(expected);
  });
});
