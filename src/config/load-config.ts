import { plainToInstance } from 'class-transformer';
import { validateSync } from 'class-validator';
import type { AraConfig } from './ara-config';
import { ConfigurationError } from './configuration-error';
import { Environment, VARIABLES } from './environment';
import { EnvironmentConfig } from './environment-config';
import { Findings, shapeOf } from './findings';
import { readNamedFile } from './layer';
import type { ConfigurationSources } from './layer';
import { readPublicKeys } from './public-keys';
import { checkRules } from './rules';
import { readSettings } from './settings';
import type { Settings } from './settings';
import { readTenants } from './tenants';

export interface LoadedConfig {
  readonly config: AraConfig;
  /** For the operator: what works, but probably not as meant. */
  readonly warnings: readonly string[];
}

/**
 * Reads the configuration from the environment, `.env`, `config/<RUN_MODE>.toml` and `config/default.toml`, the
 * former winning over the latter. Changes nothing and needs no container. Throws one ConfigurationError with all mistakes.
 */
export function loadConfig(sources: ConfigurationSources): LoadedConfig {
  const findings = new Findings();
  const settings = readSettings(sources, findings);
  const environment = readEnvironment(settings, findings);
  const tenants = readTenants(settings, environment, findings);
  checkRules(environment, tenants, findings);
  const publicKeys = readKeys(environment, sources.cwd, findings);
  if (findings.mistakes.length > 0) throw new ConfigurationError(findings.mistakes, findings.warnings);
  return { config: new EnvironmentConfig(environment, tenants, publicKeys), warnings: findings.warnings };
}

/** The declared variables with their types; a value that breaks its rule is reported and its default stands in. */
function readEnvironment({ variables }: Settings, findings: Findings): Environment {
  const environment = parse(variables, () => true);
  const broken = new Set(validateSync(environment).map(({ property }) => property));
  for (const { name, rule, remedy, secret } of VARIABLES) {
    const setting = variables.get(name);
    if (!broken.has(name) || setting === undefined) continue;
    findings.mistake({
      variable: name,
      source: setting.source,
      problem: `got ${shapeOf(setting.value, secret)}, but it must be ${rule}`,
      remedy: remedy ?? 'Correct it, or remove it to get the default.',
    });
  }
  return parse(variables, (name) => !broken.has(name));
}

function parse(variables: Settings['variables'], isWanted: (name: string) => boolean): Environment {
  const declared = VARIABLES.filter(({ name }) => variables.has(name) && isWanted(name));
  const raw = Object.fromEntries(declared.map(({ name }) => [name, variables.get(name)?.value]));
  return plainToInstance(Environment, raw, { exposeDefaultValues: true });
}

function readKeys({ JWT_ALGORITHM, JWT_PUBLICKEY }: Environment, cwd: string, findings: Findings): readonly string[] {
  if (JWT_ALGORITHM === 'HS256') return [];
  const variable = 'JWT_PUBLICKEY';
  const remedy = 'Name a PEM file: openssl pkey -in private.pem -pubout -out public.pem';
  if (JWT_PUBLICKEY === undefined) {
    findings.mistake({ variable, problem: `it is required with JWT_ALGORITHM=${JWT_ALGORITHM}`, remedy });
    return [];
  }
  const text = readNamedFile(cwd, JWT_PUBLICKEY, variable, findings);
  if (text === undefined) return [];
  const keys = readPublicKeys(text, JWT_ALGORITHM);
  if (!('fault' in keys)) return keys;
  findings.mistake({ variable, problem: keys.fault, remedy });
  return [];
}
