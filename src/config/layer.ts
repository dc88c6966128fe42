import { existsSync, readFileSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { parseEnv } from 'node:util';
import { parse as parseToml } from 'smol-toml';
import { VARIABLES } from './environment';
import { TENANT_SETTINGS } from './tenant-variable';
import type { TenantSetting } from './tenant-variable';
import type { Findings } from './findings';

/** What one source says, before anything is made of it. An empty value counts as not set. */
export interface Layer {
  readonly source: string;
  readonly values: ReadonlyMap<string, string>;
  /** `[tenant.tenant_overrides.<tenant>]` of a TOML file, where the tenant's name stands as it is. */
  readonly tenantOverrides: readonly TenantOverride[];
  /** A file that only this service reads: any unknown name in it is a slip. */
  readonly exclusive: boolean;
}

export interface TenantOverride {
  readonly tenant: string;
  readonly setting: TenantSetting;
  readonly value: string;
}

const SERVER_VARIABLES = new Set(VARIABLES.filter(({ section }) => section.title === 'Server').map(({ name }) => name));
const TENANT_OVERRIDES = TENANT_SETTINGS.filter((setting) => setting !== 'NAME');

export interface ConfigurationSources {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where `.env` and `config/` lie, and what relative paths begin at. */
  readonly cwd: string;
}

/** The layers by falling precedence: environment, `.env`, `config/<RUN_MODE>.toml`, `config/default.toml`. */
export function readLayers({ env, cwd }: ConfigurationSources, findings: Findings): Layer[] {
  const variables = [layer('environment', env), layer('.env', readDotenv(cwd, findings))];
  const mode = variables.map(({ values }) => values.get('RUN_MODE')?.trim()).find((value) => value !== undefined);
  const files = [modeFile(cwd, mode ?? 'development'), 'config/default.toml'];
  return [...variables, ...files.map((file) => readTomlLayer(cwd, file, findings))];
}

/** The text of a file, a relative path beginning at `cwd`; a file that cannot be read is a mistake of the variable. */
export function readNamedFile(cwd: string, path: string, variable: string, findings: Findings): string | undefined {
  try {
    return readFileSync(isAbsolute(path) ? path : join(cwd, path), 'utf8');
  } catch (error) {
    const problem = `the file cannot be read (${propertyOf(error, 'code') ?? 'unknown error'})`;
    findings.mistake({ variable, problem, remedy: 'Name a file that this process may read.' });
    return undefined;
  }
}

function layer(source: string, raw: Readonly<Record<string, string | undefined>>): Layer {
  return { source, values: present(Object.entries(raw)), tenantOverrides: [], exclusive: false };
}

function present(entries: Iterable<readonly [string, string | undefined]>): Map<string, string> {
  const values = new Map<string, string>();
  for (const [name, value] of entries) if (value !== undefined && value.trim() !== '') values.set(name, value);
  return values;
}

function readDotenv(cwd: string, findings: Findings): Readonly<Record<string, string | undefined>> {
  return parseEnv(readOptional(cwd, '.env', findings));
}

/** `config/prod.toml` if RUN_MODE says so and it is there; all spellings of production find `config/production.toml`. */
function modeFile(cwd: string, mode: string): string {
  // A mode that is no plain word is reported by its own rule, and must not lead out of the folder here.
  if (!/^[\w-]+$/.test(mode)) return 'config/development.toml';
  const literal = `config/${mode}.toml`;
  if (existsSync(join(cwd, literal))) return literal;
  return /^prod(uction)?$/i.test(mode) ? 'config/production.toml' : `config/${mode.toLowerCase()}.toml`;
}

function readTomlLayer(cwd: string, file: string, findings: Findings): Layer {
  const tenantOverrides: TenantOverride[] = [];
  const values: [string, string][] = [];
  const visit = (path: readonly string[], value: unknown): void => {
    if (isTable(value)) {
      for (const [key, inner] of Object.entries(value)) visit([...path, key], inner);
      return;
    }
    const [table, overrides, tenant = '', ...rest] = path;
    const isOverride = table === 'tenant' && overrides === 'tenant_overrides';
    const setting = isOverride ? TENANT_OVERRIDES.find((known) => known.toLowerCase() === rest.join('.')) : undefined;
    if (setting !== undefined) tenantOverrides.push({ tenant, setting, value: String(value) });
    else values.push([variableName(isOverride ? [table, tenant, ...rest] : path), String(value)]);
  };
  visit([], parseTomlFile(cwd, file, findings));
  return { source: file, values: present(values), tenantOverrides, exclusive: true };
}

function parseTomlFile(cwd: string, file: string, findings: Findings): unknown {
  const text = readOptional(cwd, file, findings);
  try {
    return parseToml(text);
  } catch (error) {
    // Only the place: the message quotes the lines around it, which may hold a secret.
    const line = propertyOf(error, 'line');
    const at = line === undefined ? '' : `, near line ${line}`;
    findings.mistake({ variable: file, problem: `not valid TOML${at}`, remedy: 'Correct the file or remove it.' });
    return {};
  }
}

function readOptional(cwd: string, file: string, findings: Findings): string {
  return existsSync(join(cwd, file)) ? (readNamedFile(cwd, file, file, findings) ?? '') : '';
}

/** `[server] workers` is WORKERS: what has no table of its own stands under the server's. */
function variableName(path: readonly string[]): string {
  const name = path
    .join('_')
    .toUpperCase()
    .replace(/^RATE_LIMIT_/, 'RATELIMIT_');
  const bare = name.replace(/^SERVER_/, '');
  return SERVER_VARIABLES.has(bare) ? bare : name;
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

function propertyOf(error: unknown, key: 'code' | 'line'): string | undefined {
  return typeof error === 'object' && error !== null && key in error ? String(Reflect.get(error, key)) : undefined;
}
