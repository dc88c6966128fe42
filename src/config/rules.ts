import { isClustered, isProduction } from './environment';
import type { Environment } from './environment';
import type { Findings } from './findings';
import { levelOfRustLog } from './rust-log';
import { checkSecrets } from './secret-rules';
import { weakness } from './secret-strength';
import type { Tenants } from './tenants';

/** What no variable can break alone: contradictions, and what production refuses or deserves a warning. */
export function checkRules(environment: Environment, tenants: Tenants, findings: Findings): void {
  checkSecrets(environment, tenants, findings);
  checkTimes(environment, findings);
  checkPorts(environment, findings);
  checkCluster(environment, findings);
  checkProxies(environment, findings);
  warnOfLimits(environment, tenants, findings);
  warnOfOpenDoors(environment, tenants, findings);
  warnOfWeakLogins(environment, findings);
  warnOfLosses(environment, findings);
  warnOfNoEffect(environment, tenants, findings);
}

function checkTimes(environment: Environment, findings: Findings): void {
  const { WEBSOCKET_HEARTBEAT_INTERVAL: heartbeat, REDIS_BACKOFF_INITIAL_DELAY_MS: firstDelay } = environment;
  const exceedsHeartbeat = (variable: 'WEBSOCKET_CONNECTION_TIMEOUT' | 'CLUSTER_SESSION_TTL_SECONDS') => {
    if (environment[variable] > heartbeat) return;
    const problem = `${environment[variable]} is not more than WEBSOCKET_HEARTBEAT_INTERVAL (${heartbeat})`;
    findings.mistake({ variable, problem, remedy: 'Raise it, or shorten the heartbeat interval.' });
  };
  exceedsHeartbeat('WEBSOCKET_CONNECTION_TIMEOUT');
  if (isClustered(environment)) exceedsHeartbeat('CLUSTER_SESSION_TTL_SECONDS');
  if (environment.REDIS_BACKOFF_MAX_DELAY_MS < firstDelay) {
    const problem = `${environment.REDIS_BACKOFF_MAX_DELAY_MS} is less than REDIS_BACKOFF_INITIAL_DELAY_MS (${firstDelay})`;
    findings.mistake({
      variable: 'REDIS_BACKOFF_MAX_DELAY_MS',
      problem,
      remedy: 'Raise it to at least the first delay.',
    });
  }
}

function checkPorts({ METRICS_PORT, SERVER_PORT }: Environment, findings: Findings): void {
  if (METRICS_PORT !== SERVER_PORT) return;
  const problem = 'it is the same port as SERVER_PORT';
  findings.mistake({ variable: 'METRICS_PORT', problem, remedy: 'Choose another, or remove it to share the port.' });
}

/** What nodes do not share, they lose for each other. */
function checkCluster(environment: Environment, findings: Findings): void {
  if (!isClustered(environment)) {
    if (environment.WORKERS === 1) return;
    const problem = 'more than one process needs the bus of a cluster';
    findings.mistake({ variable: 'WORKERS', problem, remedy: 'Set CLUSTER_ENABLED=true and REDIS_URL, or WORKERS=1.' });
    return;
  }
  const mustBeShared = (variable: 'QUEUE_BACKEND' | 'ACK_BACKEND' | 'TEMPLATE_BACKEND') => {
    const isEmbedded = environment[variable] === 'postgres' && environment.DATABASE_URL.startsWith('embedded:');
    if (environment[variable] !== 'memory' && !isEmbedded) return;
    const problem = `the nodes of a cluster cannot share ${isEmbedded ? 'an embedded database' : 'memory'}`;
    const remedy = isEmbedded ? 'Let DATABASE_URL name a server, or set it to redis.' : 'Set it to redis or postgres.';
    findings.mistake({ variable, problem, remedy });
  };
  if (environment.QUEUE_ENABLED) mustBeShared('QUEUE_BACKEND');
  if (environment.ACK_ENABLED) mustBeShared('ACK_BACKEND');
  mustBeShared('TEMPLATE_BACKEND');
  if (environment.RATELIMIT_ENABLED && environment.RATELIMIT_BACKEND === 'local') {
    if (environment.WORKERS > 1) {
      findings.mistake({
        variable: 'RATELIMIT_BACKEND',
        problem: `${environment.WORKERS} workers cannot count together in the memory of each`,
        remedy: 'Set it to redis, or WORKERS=1.',
      });
      return;
    }
    findings.warn(
      'RATELIMIT_BACKEND=local: each node of the cluster counts for itself. Set it to redis to count together.',
    );
  }
}

function checkProxies({ TRUST_PROXY, RUN_MODE }: Environment, findings: Findings): void {
  const variable = 'TRUST_PROXY';
  const remedy = 'Give the number of proxies, or their networks.';
  if (TRUST_PROXY.length > 1 && TRUST_PROXY.some((proxy) => /^(\d+|true|false)$/i.test(proxy))) {
    findings.mistake({ variable, problem: 'a number, true or false stands alone', remedy });
  } else if (TRUST_PROXY.some((proxy) => /^true$|\/0+$/i.test(proxy))) {
    const problem = 'it trusts everybody, so any client may forge its address';
    if (isProduction(RUN_MODE)) findings.mistake({ variable, problem: `${problem}, which production refuses`, remedy });
    else findings.warn(`${variable}: ${problem}, which production would refuse. ${remedy}`);
  }
}

function warnOfLimits(environment: Environment, { limits }: Tenants, findings: Findings): void {
  const within = (name: string, limit: number, most: number, whose = 'one user') => {
    if (most > 0 && limit > most)
      findings.warn(`${name}: ${limit} for ${whose} can never be reached, because ${most} is the limit of all.`);
  };
  const { WEBSOCKET_MAX_CONNECTIONS_PER_USER: perUser, TENANT_DEFAULT_MAX_CONNECTIONS_PER_USER: perTenantUser } =
    environment;
  within('WEBSOCKET_MAX_CONNECTIONS_PER_USER', perUser, environment.WEBSOCKET_MAX_CONNECTIONS);
  within('TENANT_DEFAULT_MAX_CONNECTIONS_PER_USER', perTenantUser, environment.TENANT_DEFAULT_MAX_CONNECTIONS);
  for (const [tenant, own] of limits) within(`Tenant ${tenant}`, own.maxConnectionsPerUser, own.maxConnections);
  if (environment.TENANT_ENABLED && !isClustered(environment)) {
    const { TENANT_DEFAULT_MAX_CONNECTIONS: perTenant, WEBSOCKET_MAX_CONNECTIONS: most } = environment;
    within('TENANT_DEFAULT_MAX_CONNECTIONS', perTenant, most, 'one tenant');
    for (const [tenant, own] of limits) within(`Tenant ${tenant}`, own.maxConnections, most, 'one tenant');
  }
  if (environment.RATELIMIT_HTTP_BURST_SIZE < environment.RATELIMIT_HTTP_REQUESTS_PER_SECOND) {
    findings.warn(
      'RATELIMIT_HTTP_BURST_SIZE is below RATELIMIT_HTTP_REQUESTS_PER_SECOND: the rate needs evenly spread requests.',
    );
  }
}

function warnOfOpenDoors(environment: Environment, { keys }: Tenants, findings: Findings): void {
  if (environment.API_KEY === undefined && environment.API_KEY_PREVIOUS === undefined && keys.length === 0) {
    findings.warn('No API key is set: anybody who reaches this service may send. Set API_KEY.');
  }
  if (isProduction(environment.RUN_MODE) && environment.CORS_ORIGINS.length === 0) {
    findings.warn('CORS_ORIGINS is empty: pages of any origin may use this service. List the origins of your pages.');
  }
  if (isProduction(environment.RUN_MODE) && environment.RATELIMIT_ENABLED && environment.TRUST_PROXY.length === 0) {
    findings.warn(
      'TRUST_PROXY is empty: behind a proxy all clients have its address and share ' +
        `${environment.RATELIMIT_WS_CONNECTIONS_PER_MINUTE} new connections per minute. If there is one, set TRUST_PROXY.`,
    );
  }
  if (environment.SSE_AUTO_SUBSCRIBE) {
    findings.warn(
      'SSE_AUTO_SUBSCRIBE is on: a stream whose token has no `channels` claim hears every channel of its tenant. ' +
        'If channels carry private matters, issue tokens with `channels` or set it to false.',
    );
  }
}

/** What passes for a password on the way to a store. The documents' samples have such ones and must start. */
function warnOfWeakLogins(environment: Environment, findings: Findings): void {
  if (!isProduction(environment.RUN_MODE)) return;
  for (const variable of ['REDIS_URL', 'DATABASE_URL'] as const) {
    const [, password] = /^[^/?]+:\/\/[^@/]*?:([^@/]+)@/.exec(environment[variable]) ?? [];
    if (password === undefined) continue;
    const fault = password.length < 8 ? 'it has fewer than 8 characters' : weakness(password);
    if (fault !== undefined) findings.warn(`${variable}: its password would be guessed: ${fault}.`);
  }
}

function warnOfLosses({ RUN_MODE, QUEUE_ENABLED, QUEUE_BACKEND }: Environment, findings: Findings): void {
  if (isProduction(RUN_MODE) && QUEUE_ENABLED && QUEUE_BACKEND === 'memory') {
    findings.warn('QUEUE_BACKEND=memory: what is kept is lost when the process ends. Set it to redis or postgres.');
  }
}

function warnOfNoEffect(environment: Environment, tenants: Tenants, findings: Findings): void {
  const warnIf = (applies: boolean, text: string) => {
    if (applies) findings.warn(text);
  };
  const { JWT_ALGORITHM: algorithm, JWT_SECRET_PREVIOUS: oldSecret, API_KEY_PREVIOUS: oldKey } = environment;
  const { RUST_LOG: rustLog, LOG_LEVEL: level } = environment;
  const usesSecret = algorithm === 'HS256';
  warnIf(
    usesSecret && environment.JWT_PUBLICKEY !== undefined,
    'JWT_PUBLICKEY has no effect with JWT_ALGORITHM=HS256.',
  );
  warnIf(!usesSecret && oldSecret !== undefined, `JWT_SECRET_PREVIOUS has no effect with JWT_ALGORITHM=${algorithm}.`);
  warnIf(
    oldSecret !== undefined && oldSecret === environment.JWT_SECRET,
    'JWT_SECRET_PREVIOUS is the same as JWT_SECRET.',
  );
  warnIf(oldKey !== undefined && oldKey === environment.API_KEY, 'API_KEY_PREVIOUS is the same as API_KEY.');
  warnIf(
    !environment.TENANT_ENABLED && tenants.limits.size + tenants.keys.length > 0,
    'Single tenants are configured, but TENANT_ENABLED is off: their limits have no effect, and their keys open everything.',
  );
  warnIf(
    environment.QUEUE_REDIS_WAIT > 0 && environment.QUEUE_BACKEND !== 'redis',
    `QUEUE_REDIS_WAIT has no effect with QUEUE_BACKEND=${environment.QUEUE_BACKEND}.`,
  );
  warnIf(
    environment.CLUSTER_ENABLED && !isClustered(environment),
    'CLUSTER_SESSION_STORE=local: this node stays alone, although CLUSTER_ENABLED is on.',
  );
  warnIf(
    level === undefined && rustLog !== undefined && levelOfRustLog(rustLog) === undefined,
    'RUST_LOG says nothing of this service that is understood: the level is info. Set LOG_LEVEL.',
  );
  warnIf(
    !/^(prod(uction)?|dev(elopment)?|test|staging|local)$/i.test(environment.RUN_MODE),
    `RUN_MODE=${environment.RUN_MODE} is treated as development; production is \`production\` or \`prod\`.`,
  );
}
