import { isClustered, isProduction } from './environment';
import type { Environment } from './environment';
import type { Findings } from './findings';
import { weakness } from './secret-strength';
import type { Tenants } from './tenants';

const NEW_SECRET = 'Make one: openssl rand -hex 32';

/** Which secrets must be there, that nobody would guess them, and that none opens two doors. */
export function checkSecrets(environment: Environment, { keys }: Tenants, findings: Findings): void {
  checkPresence(environment, findings);
  checkStrength(environment, keys, findings);
  checkOwners(environment, keys, findings);
}

function checkPresence(environment: Environment, findings: Findings): void {
  const need = (variable: 'JWT_SECRET' | 'API_KEY' | 'CLUSTER_SECRET', problem: string) => {
    // A file that could not be read is reported already.
    if (environment[variable] !== undefined || findings.concerns(`${variable}_FILE`)) return;
    findings.mistake({ variable, problem, remedy: NEW_SECRET });
  };
  if (environment.JWT_ALGORITHM === 'HS256') need('JWT_SECRET', 'it is required');
  else if (isClustered(environment) && environment.JWT_SECRET === undefined) {
    need('CLUSTER_SECRET', 'it is required in a cluster without JWT_SECRET');
  }
  if (isProduction(environment.RUN_MODE)) need('API_KEY', 'it is required in production');
}

/** Production refuses what development only warns of, so that the samples of the documents work on a laptop. */
function checkStrength(environment: Environment, keys: Tenants['keys'], findings: Findings): void {
  const judge = (variable: string, secret: string | undefined) => {
    if (secret === undefined) return;
    const fault = secret.trim().length < 16 ? 'it has fewer than 16 characters' : weakness(secret);
    if (fault === undefined) return;
    if (isProduction(environment.RUN_MODE)) {
      findings.mistake({ variable, problem: `${fault}, which production refuses`, remedy: NEW_SECRET });
    } else findings.warn(`${variable}: ${fault}, which production would refuse. ${NEW_SECRET}`);
  };
  for (const variable of [
    'JWT_SECRET',
    'JWT_SECRET_PREVIOUS',
    'CLUSTER_SECRET',
    'API_KEY',
    'API_KEY_PREVIOUS',
    'METRICS_TOKEN',
  ] as const) {
    judge(variable, environment[variable]);
  }
  for (const { variable, key } of keys) judge(variable, key);
}

function checkOwners(environment: Environment, keys: Tenants['keys'], findings: Findings): void {
  const owners = new Map<string, string>();
  // Last in, first out: of a key that did not change in a rotation, API_KEY is the owner.
  for (const variable of ['API_KEY_PREVIOUS', 'API_KEY'] as const) {
    const key = environment[variable];
    if (key !== undefined) owners.set(key, variable);
  }
  const claim = (variable: string, secret: string) => {
    const owner = owners.get(secret);
    if (owner === undefined) return;
    findings.mistake({
      variable,
      problem: `it is the same text as ${owner}`,
      remedy: 'Give each a secret of its own.',
    });
  };
  for (const { variable, key } of keys) {
    claim(variable, key);
    owners.set(key, variable);
  }
  for (const variable of ['JWT_SECRET', 'JWT_SECRET_PREVIOUS', 'CLUSTER_SECRET', 'METRICS_TOKEN'] as const) {
    claim(variable, environment[variable] ?? '');
  }
}
