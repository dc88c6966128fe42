import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { DEPLOY } from './operator-files';
import { tool, TOOLS } from './tools';

export const CHART = join(DEPLOY, 'helm/ara');
const SCRIPT = join(__dirname, 'chart.py');

/** A Kubernetes object, as far as these tests look into it. */
export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly annotations?: Readonly<Record<string, string>> };
  readonly data?: Readonly<Record<string, string>>;
  readonly spec?: unknown;
}

export interface Rendered {
  /** What Helm's linter says: severity 1 is information, 2 a warning, 3 an error. */
  readonly lint: readonly { readonly severity: number; readonly error: string }[];
  readonly objects: readonly KubernetesObject[];
  readonly notes: string;
  /** Objects that the schemas of these versions of Kubernetes do not accept. Custom resources have none. */
  readonly problems: readonly string[];
}

/** The chart with these values, or those of a file, by Helm's own engine. Throws what Helm says when it refuses them. */
export function renderChart(
  values: Readonly<Record<string, unknown>> | string = {},
  kubernetes: readonly string[] = [],
): Rendered {
  const { stdout, stderr, error } = spawnSync(tool('python3'), [SCRIPT], {
    input: JSON.stringify({ chart: CHART, kubernetes, values }),
    env: { ...process.env, PYTHONPATH: TOOLS },
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  if (stdout === '') throw new Error(error?.message ?? stderr);
  const result = JSON.parse(stdout) as Rendered | { readonly error: string };
  if ('error' in result) throw new Error(result.error);
  return result;
}
