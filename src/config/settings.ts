import { VARIABLES } from './environment';
import type { Findings } from './findings';
import { readLayers, readNamedFile } from './layer';
import type { ConfigurationSources, Layer, TenantOverride } from './layer';
import { parseTenantVariable } from './tenant-variable';
import { looksLikeOurs, nearestName } from './unknown-variable';
import { namesOf } from './variable';
import type { Variable } from './variable';

/** A value as text, and where it came from. */
export interface Setting {
  readonly value: string;
  readonly source: string;
}

export interface Settings {
  /** By the variable's own name, aliases and files resolved: declared variables and those of single tenants. */
  readonly variables: ReadonlyMap<string, Setting>;
  /** Of the TOML files, by falling precedence. */
  readonly tenantOverrides: readonly (TenantOverride & Setting)[];
}

const BY_NAME = new Map<string, Variable>(
  VARIABLES.flatMap((variable) => namesOf(variable).map((name) => [name, variable] as const)),
);

/** Reads all sources and settles, for every name, which value counts. */
export function readSettings(sources: ConfigurationSources, findings: Findings): Settings {
  const variables = new Map<string, Setting>();
  const layers = readLayers(sources, findings);
  for (const layer of layers) {
    for (const [name, setting] of settle(layer, sources.cwd, findings)) {
      if (!variables.has(name)) variables.set(name, setting);
    }
  }
  const tenantOverrides = layers.flatMap(({ tenantOverrides, source }) =>
    tenantOverrides.map((override) => ({ ...override, source })),
  );
  return { variables, tenantOverrides };
}

/** One source's settings by the variables' own names. */
function settle(layer: Layer, cwd: string, findings: Findings): Map<string, Setting> {
  const { source } = layer;
  const values = readSecretFiles(layer, cwd, findings);
  const settled = new Map<string, Setting>();
  for (const variable of VARIABLES) {
    const [first, ...others] = namesOf(variable).filter((name) => values.has(name));
    if (first === undefined) continue;
    const value = values.get(first) ?? '';
    settled.set(variable.name, { value, source: first === variable.name ? source : `${source}, as ${first}` });
    for (const other of others.filter((name) => values.get(name) !== value)) {
      findings.warn(`${first} and ${other} (${source}) are two names of one setting; the first counts.`);
    }
  }
  for (const [name, value] of values) {
    if (BY_NAME.has(name)) continue;
    if (parseTenantVariable(name) !== undefined) settled.set(name, { value, source });
    else if (layer.exclusive || looksLikeOurs(name)) warnUnknown(name, source, findings);
  }
  if (layer.exclusive && values.has('RUN_MODE')) {
    const problem = 'a file that is chosen by the mode cannot set it';
    findings.mistake({ variable: 'RUN_MODE', source, problem, remedy: 'Set it in the environment or in .env.' });
    settled.delete('RUN_MODE');
  }
  return settled;
}

function warnUnknown(name: string, source: string, findings: Findings): void {
  findings.warn(`${name} (${source}) is not known and has no effect. Did you mean ${nearestName(name)}?`);
}

/** Replaces `<NAME>_FILE` of every secret by the secret that the file holds. */
function readSecretFiles({ values, source }: Layer, cwd: string, findings: Findings): ReadonlyMap<string, string> {
  const resolved = new Map(values);
  for (const [name, path] of values) {
    const secret = name.replace(/_FILE$/, '');
    if (secret === name || !isSecret(secret)) continue;
    resolved.delete(name);
    if (values.has(secret)) {
      const problem = `it and ${secret} are both set`;
      findings.mistake({ variable: name, source, problem, remedy: 'Keep one of them.' });
      continue;
    }
    const text = readNamedFile(cwd, path, name, findings)?.replace(/\r?\n$/, '');
    if (text === '') {
      const problem = 'the file is empty';
      findings.mistake({ variable: name, source, problem, remedy: `Write the secret into it, or remove ${name}.` });
    } else if (text !== undefined) {
      resolved.set(secret, text);
    }
  }
  return resolved;
}

function isSecret(name: string): boolean {
  return BY_NAME.get(name)?.secret === true || parseTenantVariable(name)?.setting === 'API_KEY';
}
