/**
 * What the load tests share: profiles, thresholds and settings. README.md has the tables.
 *
 * @typedef {object} Profile
 * @property {number} connections open at the same time, while the load is held
 * @property {number} rate requests per second, while the load is held
 * @property {number} rampUp seconds from nothing to the full load
 * @property {number} hold seconds
 * @property {number} rampDown seconds
 *
 * @typedef {'user' | 'users' | 'broadcast' | 'channel' | 'mixed'} Scenario whom a request addresses
 */

/** @type {Readonly<Record<string, Profile>>} */
export const PROFILES = {
  smoke: { connections: 10, rate: 10, rampUp: 10, hold: 30, rampDown: 10 },
  baseline: { connections: 100, rate: 50, rampUp: 30, hold: 120, rampDown: 30 },
  medium: { connections: 500, rate: 100, rampUp: 60, hold: 180, rampDown: 30 },
  high: { connections: 1000, rate: 200, rampUp: 60, hold: 300, rampDown: 30 },
  stress: { connections: 2000, rate: 500, rampUp: 120, hold: 300, rampDown: 60 },
  soak: { connections: 500, rate: 50, rampUp: 120, hold: 1800, rampDown: 120 },
  spike: { connections: 100, rate: 1000, rampUp: 5, hold: 60, rampDown: 30 },
};

/**
 * By script. `count>0` makes a run fail in which nothing arrived: k6 takes a threshold without samples for met.
 */
export const THRESHOLDS = {
  websocket: {
    connection_success_rate: ['rate>0.95'],
    message_latency_ms: ['p(95)<100', 'p(99)<500'],
    ws_connections_failed: ['count<50'],
    notifications_received: ['count>0'],
  },
  'http-api': {
    request_success_rate: ['rate>0.99'],
    request_latency_ms: ['p(95)<50', 'p(99)<100'],
    http_req_duration: ['p(95)<100'],
  },
  'batch-api': {
    batch_success_rate: ['rate>0.98'],
    batch_latency_ms: ['p(95)<200', 'p(99)<500'],
  },
  'e2e-load': {
    overall_success_rate: ['rate>0.95'],
    e2e_latency_ms: ['p(95)<200', 'p(99)<500'],
    http_latency_ms: ['p(95)<50'],
    ws_connections_failed: ['count<10'],
    notifications_received: ['count>0'],
  },
  sse: {
    sse_connection_success_rate: ['rate>0.95'],
    sse_delivery_rate: ['rate>0.99'],
    request_success_rate: ['rate>0.99'],
    sse_notifications_received: ['count>0'],
  },
};

export const PROFILE = chosenProfile(setting('PROFILE') ?? 'baseline');

const HOST = setting('HOST') ?? 'localhost:8081';
export const API_URL = address('http', setting('API_HOST') ?? HOST);
export const WS_URL = `${address('ws', setting('WS_HOST') ?? HOST)}/ws`;
export const SSE_URL = `${address('http', setting('WS_HOST') ?? HOST)}/sse`;

export const API_KEY = setting('API_KEY');
export const JWT_SECRET = setting('JWT_SECRET');
export const JWT_TOKEN = setting('JWT_TOKEN');
/** The service takes a token for so long after its `exp`. */
export const JWT_LEEWAY_SECONDS = Number(setting('JWT_LEEWAY_SECONDS') ?? 60);

/** How long a connection stays, unless the run ends before. */
export const CONNECTION_SECONDS = seconds(setting('CONNECTION_DURATION') ?? setting('DURATION') ?? '60');
export const CHANNELS = (setting('CHANNELS') ?? 'load-test,stress-test').split(',').map((name) => name.trim());
export const SCENARIO = chosenScenario(setting('SCENARIO'));
export const MAX_BATCH_SIZE = 100;
export const BATCH_SIZE = Math.min(MAX_BATCH_SIZE, Math.max(1, Number(setting('BATCH_SIZE') ?? 50)));

/** From the first connection or request to the last, in seconds. */
export const RUN_SECONDS = PROFILE.rampUp + PROFILE.hold + PROFILE.rampDown;

/** p(99) has thresholds; k6 leaves it out unless told. */
export const SUMMARY = ['avg', 'med', 'p(95)', 'p(99)', 'max'];

/**
 * A scenario of k6: as many virtual users as the profile has connections. None is cut off: whoever stays no longer than
 * the run has time to end.
 *
 * @param {string} exec name of the exported function that a virtual user runs over and over
 */
export function connectionsOf(exec) {
  const { connections, rampUp, hold, rampDown } = PROFILE;
  return {
    exec,
    executor: /** @type {const} */ ('ramping-vus'),
    startVUs: 0,
    stages: stages(connections, rampUp, hold, rampDown),
    gracefulRampDown: `${rampDown + 45}s`,
    gracefulStop: '45s',
  };
}

/**
 * A scenario of k6: as many requests per second as the profile says, however long each takes. What k6 finds nobody to
 * send with, it counts in `dropped_iterations`.
 *
 * @param {string} exec name of the exported function that makes one request
 */
export function requestsOf(exec) {
  const { rate, rampUp, hold, rampDown } = PROFILE;
  return {
    exec,
    executor: /** @type {const} */ ('ramping-arrival-rate'),
    startRate: 0,
    timeUnit: '1s',
    preAllocatedVUs: Math.max(10, Math.ceil(rate / 4)),
    maxVUs: Math.max(50, rate),
    stages: stages(rate, rampUp, hold, rampDown),
    gracefulStop: '10s',
  };
}

/**
 * A scenario of k6: once a second for the whole run.
 *
 * @param {string} exec name of the exported function
 */
export function everySecondOf(exec) {
  return {
    exec,
    executor: /** @type {const} */ ('constant-arrival-rate'),
    rate: 1,
    timeUnit: '1s',
    duration: `${RUN_SECONDS}s`,
    preAllocatedVUs: 2,
    maxVUs: 10,
    gracefulStop: '5s',
  };
}

/** @param {number} target @param {number} rampUp @param {number} hold @param {number} rampDown */
function stages(target, rampUp, hold, rampDown) {
  return [
    { target, duration: `${rampUp}s` },
    { target, duration: `${hold}s` },
    { target: 0, duration: `${rampDown}s` },
  ];
}

/** An empty setting is none: shells and runners hand on what they were not given as ''. @param {string} name */
function setting(name) {
  const text = (__ENV[name] ?? '').trim();
  return text === '' ? undefined : text;
}

/** @param {string} name */
function chosenProfile(name) {
  const profile = PROFILES[name];
  if (profile === undefined) throw new Error(`PROFILE=${name}: not one of ${Object.keys(PROFILES).join(', ')}`);
  return profile;
}

/** @param {string | undefined} name @returns {Scenario | undefined} */
function chosenScenario(name) {
  const names = /** @type {const} */ (['user', 'users', 'broadcast', 'channel', 'mixed']);
  const found = names.find((one) => one === name);
  if (name !== undefined && found === undefined) throw new Error(`SCENARIO=${name}: not one of ${names.join(', ')}`);
  return found;
}

/** `host:port`, or with a scheme, whose `s` at the end stands for TLS. @param {'http' | 'ws'} scheme @param {string} host */
function address(scheme, host) {
  const [, given = '', rest = host] = /^(\w+):\/\/(.*)$/.exec(host) ?? [];
  return `${scheme}${/^(https|wss)$/.test(given) ? 's' : ''}://${rest.replace(/\/+$/, '')}`;
}

/** `90`, `90s`, `2m` or `1m30s`. @param {string} text */
function seconds(text) {
  const [whole, minutes = 0, rest = 0] = /^(?:(\d+)m)?(?:(\d+)s?)?$/.exec(text) ?? [];
  const total = Number(minutes) * 60 + Number(rest);
  if (whole === undefined || total === 0) throw new Error(`${text}: not a duration such as 90, 90s or 1m30s`);
  return total;
}
