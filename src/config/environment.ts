import { isDatabaseUrl, isHttpUrl, isOrigin, isProxy, isRedisUrl } from './address';
import type { JwtAlgorithm, LogLevel, StoreBackend } from './ara-config';
import { Choice, Decimal, Flag, Integer, List, Secret, Section, Text, variablesOf } from './variable';

/** Node's timers fire at once beyond 2^31 ms. */
const LONGEST_TIMER_SECONDS = 2_147_483;
const LONGEST_TIMER_MS = 2_147_483_647;
const COUNT = { min: 0, max: 2_147_483_647 };
const AMOUNT = { min: 1, max: 2_147_483_647 };
const INTERVAL = { min: 1, max: LONGEST_TIMER_SECONDS };
const BACKENDS = ['memory', 'redis', 'postgres'] as const;
const NEW_SECRET = 'Make one: openssl rand -hex 32';
const KEY_PREFIX = { rule: 'text without blanks and braces', check: (value: string) => /^[^\s{}]+$/.test(value) };
const WORD = { rule: 'text without blanks', check: (value: string) => /^\S+$/.test(value) };
/** What can stand in an HTTP header and arrives as it was written. */
export const API_KEY_RULE = {
  rule: 'printable ASCII without blanks at its ends; in production at least 16 characters',
  check: (value: string): boolean => /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/.test(value),
  remedy: NEW_SECRET,
};
const JWT_SECRET = {
  rule: 'at least 32 characters',
  check: (value: string) => value.trim().length >= 32,
  remedy: NEW_SECRET,
};

/**
 * Every variable that an operator may set: the property is its name, the initial value its default. Documents,
 * `.env.example`, the names in the TOML files and the messages about mistakes come out of these declarations.
 */
export class Environment {
  @Section('Server', 'How the process listens, what it believes of the network, and how it ends.')
  @Text(
    '`production` or `prod`, in any case, is production; every other mode is development. It names a file, too: `config/<RUN_MODE>.toml`. Not possible in a TOML file.',
    {
      rule: 'letters, digits, - and _',
      check: (value) => /^[\w-]+$/.test(value),
    },
  )
  RUN_MODE = 'development';

  @Text('Address to listen on.', { rule: 'a host name or an IP address', check: (value) => /^[\w.:-]+$/.test(value) })
  SERVER_HOST = '0.0.0.0';

  @Integer('Port of HTTP, WebSocket and SSE.', { min: 1, max: 65_535 })
  SERVER_PORT = 8081;

  @List(
    'Origins of the browsers that may call the API; in production also of those that may open a WebSocket. Empty, or `*`: any.',
    {
      rule: 'origins (scheme://host[:port]) separated by commas',
      check: isOrigin,
    },
  )
  CORS_ORIGINS: readonly string[] = [];

  @List(
    'Whose `X-Forwarded-For` names the client address: the number of proxies in front, or their networks. Empty: nobody, the peer is the client. `true` (everybody) is refused in production.',
    {
      rule: 'a number of proxies, or addresses and CIDRs separated by commas',
      check: isProxy,
    },
  )
  TRUST_PROXY: readonly string[] = [];

  @Flag('Answer the sending endpoints by a shorter way. `false` changes nothing but the speed.')
  HTTP_FAST_PATH = true;

  @Integer(
    'Processes on one port, one for each core. More than 1 needs `CLUSTER_ENABLED` and stores that they share.',
    {
      min: 1,
      max: 128,
    },
  )
  WORKERS = 1;

  @Integer('Longest time from SIGTERM to the end of the process, in seconds.', INTERVAL)
  SHUTDOWN_GRACE_SECONDS = 25;

  @Flag('Serve `/docs`, `/openapi.json` and `/asyncapi.json`.', { unset: 'true in development, false in production' })
  DOCS_ENABLED: boolean | undefined;

  @Section('Tokens', 'The JSON Web Tokens of the people who listen.')
  @Secret('The secret of HS256 tokens; required unless `JWT_ALGORITHM` is another one.', JWT_SECRET)
  JWT_SECRET: string | undefined;

  @Secret(
    'A second secret whose tokens are still accepted, for rotation. In a cluster, set `CLUSTER_SECRET` before rotating.',
    JWT_SECRET,
  )
  JWT_SECRET_PREVIOUS: string | undefined;

  @Choice('The only signature algorithm that is accepted.', ['HS256', 'RS256', 'ES256'])
  JWT_ALGORITHM: JwtAlgorithm = 'HS256';

  @Text(
    'File of the public key in PEM form, for RS256 and ES256. Several keys in it: each is accepted, for rotation.',
    {
      rule: 'the path of a PEM file',
    },
  )
  JWT_PUBLICKEY: string | undefined;

  @Text('The `iss` that a token must have if it has one.', { rule: 'text', unset: 'not checked' })
  JWT_ISSUER: string | undefined;

  @Text('The `aud` that a token must have if it has one.', { rule: 'text', unset: 'not checked' })
  JWT_AUDIENCE: string | undefined;

  @Integer('How long after `exp` a token still counts, in seconds, because clocks differ.', { min: 0, max: 3600 })
  JWT_LEEWAY_SECONDS = 60;

  @Section('API keys', 'The `X-API-Key` of the back ends that send. Without any key, REST is open to everybody.')
  @Secret('The key that may name any tenant; required in production.', API_KEY_RULE)
  API_KEY: string | undefined;

  @Secret('A second key that is still accepted, for rotation.', API_KEY_RULE)
  API_KEY_PREVIOUS: string | undefined;

  @Section('WebSocket and SSE', 'The connections; all but the WebSocket-only switches hold for SSE streams, too.')
  @Integer('A heartbeat to every connection each so many seconds.', INTERVAL)
  WEBSOCKET_HEARTBEAT_INTERVAL = 30;

  @Integer(
    'A connection that shows no life for so many seconds is closed; longer than the heartbeat interval.',
    INTERVAL,
  )
  WEBSOCKET_CONNECTION_TIMEOUT = 120;

  @Integer('How often lifeless connections are looked for, in seconds.', INTERVAL)
  WEBSOCKET_CLEANUP_INTERVAL = 60;

  @Integer('Most connections of this node, of all its workers together; 0 = unlimited.', COUNT)
  WEBSOCKET_MAX_CONNECTIONS = 10_000;

  @Integer('Most connections of one user; 0 = unlimited. With tenants, their limit counts instead.', COUNT)
  WEBSOCKET_MAX_CONNECTIONS_PER_USER = 5;

  @Integer('Most channels of one connection; 0 = unlimited. With tenants, their limit counts instead.', COUNT)
  WEBSOCKET_MAX_SUBSCRIPTIONS_PER_CONNECTION = 50;

  @Flag('Close a connection when its token expires.', { unset: 'true in production, false in development' })
  WEBSOCKET_CLOSE_ON_TOKEN_EXPIRY: boolean | undefined;

  @Flag('Greet a new WebSocket with a `connected` frame.')
  WEBSOCKET_SEND_CONNECTED = false;

  @Flag('Offer permessage-deflate to WebSockets. It costs memory and time on every connection.')
  WEBSOCKET_COMPRESSION = false;

  @Flag('An SSE stream hears all channels of its tenant that its token allows. `false`: only those of `?channels=`.')
  SSE_AUTO_SUBSCRIBE = true;

  @Section('Offline queue', 'Notifications to users are kept until they are delivered.')
  @Flag('Keep notifications to users.')
  QUEUE_ENABLED = false;

  @Choice('Where. `memory` is lost on a restart.', BACKENDS)
  QUEUE_BACKEND: StoreBackend = 'memory';

  @Integer('Most entries of one user; beyond it the oldest is dropped.', { min: 1, max: 1_000_000 })
  QUEUE_MAX_SIZE_PER_USER = 100;

  @Integer('How long an entry is kept, in seconds.', { min: 1, max: 4_294_967_295, when: 'QUEUE_ENABLED' })
  QUEUE_MESSAGE_TTL_SECONDS = 3600;

  @Integer('How often expired entries are removed, in seconds.', INTERVAL)
  QUEUE_CLEANUP_INTERVAL_SECONDS = 300;

  @Text('Prefix of the keys in Redis; one colon at its end is not counted.', {
    ...KEY_PREFIX,
    aliases: ['QUEUE_REDIS_PREFIX'],
  })
  QUEUE_REDIS_KEY_PREFIX = 'ara:queue:';

  @Integer('How many connections may take an entry before it is given up.', AMOUNT)
  QUEUE_MAX_DELIVERIES = 5;

  @Flag('With `ACK_ENABLED`: an entry stays until it is acknowledged. `false`: until it is written to a connection.')
  QUEUE_REDELIVER_UNACKED = true;

  @Integer('Replicas that must have an entry (Redis `WAIT`) before it counts as stored.', { min: 0, max: 100 })
  QUEUE_REDIS_WAIT = 0;

  @Section('Acknowledgements', 'Which notifications a user confirmed, and how fast.')
  @Flag('Track acknowledgements.')
  ACK_ENABLED = false;

  @Choice('Where. `memory` is lost on a restart.', BACKENDS)
  ACK_BACKEND: StoreBackend = 'memory';

  @Integer('An acknowledgement later than so many seconds does not count.', { ...INTERVAL, when: 'ACK_ENABLED' })
  ACK_TIMEOUT_SECONDS = 30;

  @Integer('How often expired ones are removed, in seconds.', INTERVAL)
  ACK_CLEANUP_INTERVAL_SECONDS = 60;

  @Text('Prefix of the keys in Redis.', KEY_PREFIX)
  ACK_REDIS_PREFIX = 'ara:ack';

  @Section('Stores', 'What holds for everything that is kept.')
  @Choice('Where templates are kept.', BACKENDS, { unset: 'memory; in a cluster redis' })
  TEMPLATE_BACKEND: StoreBackend | undefined;

  @Integer('Longest wait for a store, in milliseconds; then it counts as unreachable.', {
    min: 1,
    max: LONGEST_TIMER_MS,
  })
  STORE_TIMEOUT_MS = 1000;

  @Integer('How long a start tries to reach its stores, in seconds, before it fails.', {
    min: 0,
    max: LONGEST_TIMER_SECONDS,
  })
  STORE_BOOT_TIMEOUT_SECONDS = 15;

  @Section('Rate limits', 'Token buckets for requests and connections.')
  @Flag('Limit rates.')
  RATELIMIT_ENABLED = false;

  @Choice('`local`: each node counts for itself; `redis`: all nodes together.', ['local', 'redis'])
  RATELIMIT_BACKEND: 'local' | 'redis' = 'local';

  @Text('Prefix of the keys in Redis.', KEY_PREFIX)
  RATELIMIT_REDIS_PREFIX = 'ara:ratelimit';

  @Integer('Requests per second of one API key, or of one address without a known key.', AMOUNT)
  RATELIMIT_HTTP_REQUESTS_PER_SECOND = 100;

  @Integer('Requests that may come at once.', AMOUNT)
  RATELIMIT_HTTP_BURST_SIZE = 200;

  @Integer('New connections (WebSocket and SSE) per minute of one address.', AMOUNT)
  RATELIMIT_WS_CONNECTIONS_PER_MINUTE = 10;

  @Integer('Messages per second of one WebSocket.', AMOUNT)
  RATELIMIT_WS_MESSAGES_PER_SECOND = 50;

  @Integer('How often idle buckets are removed, in seconds.', INTERVAL)
  RATELIMIT_CLEANUP_INTERVAL_SECONDS = 60;

  @Section('Tenants', 'Several customers on one service that do not see each other.')
  @Flag('Separate tenants.')
  TENANT_ENABLED = false;

  @Flag('A request without `X-Tenant-ID` is refused. `false`: it means the tenant `default`.')
  TENANT_REQUIRE_HEADER = true;

  @Flag('A Redis trigger without a tenant reaches all tenants. `false`: the tenant `default`.')
  TENANT_REDIS_UNSCOPED = false;

  @Integer('Most connections of a tenant; 0 = unlimited.', {
    ...COUNT,
    aliases: ['TENANT_DEFAULT_LIMITS_MAX_CONNECTIONS'],
    aliasWins: true,
  })
  TENANT_DEFAULT_MAX_CONNECTIONS = 1000;

  @Integer('Most connections of one user of a tenant; 0 = unlimited.', {
    ...COUNT,
    aliases: ['TENANT_DEFAULT_LIMITS_MAX_CONNECTIONS_PER_USER'],
    aliasWins: true,
  })
  TENANT_DEFAULT_MAX_CONNECTIONS_PER_USER = 5;

  @Integer('Most channels of one connection of a tenant; 0 = unlimited.', {
    ...COUNT,
    aliases: ['TENANT_DEFAULT_LIMITS_MAX_SUBSCRIPTIONS_PER_CONNECTION'],
    aliasWins: true,
  })
  TENANT_DEFAULT_MAX_SUBSCRIPTIONS_PER_CONNECTION = 50;

  @Section('Redis', 'Triggers, and every store, limit and cluster that names Redis.')
  @Secret(
    'One server, Sentinel (`redis+sentinel://h:26379,h2:26379/mymaster?db=0`) or Redis Cluster (`redis+cluster://h:7000,h2:7001`); with TLS `rediss…`.',
    {
      rule: 'redis://, rediss://, redis+sentinel:// (with the name of the master) or redis+cluster://',
      check: isRedisUrl,
    },
  )
  REDIS_URL = 'redis://localhost:6379';

  @List('Pub/Sub channels that carry triggers; a name with `*`, `?` or `[` is a pattern. A comma alone: none.', {
    rule: 'names separated by commas',
  })
  REDIS_CHANNELS: readonly string[] = ['notification:user:*', 'notification:broadcast', 'notification:channel:*'];

  @Flag('Drop a trigger whose target is not the one that the Pub/Sub channel names.')
  REDIS_TRIGGER_STRICT = false;

  @Text('A Redis Stream as a second door for triggers, delivered at least once; e.g. `ara:ingest`.', {
    ...WORD,
    unset: 'off',
  })
  REDIS_INGEST_STREAM: string | undefined;

  @Integer('The circuit breaker opens after so many failures in a row.', AMOUNT)
  REDIS_CIRCUIT_BREAKER_FAILURE_THRESHOLD = 5;

  @Integer('It closes again after so many successes.', AMOUNT)
  REDIS_CIRCUIT_BREAKER_SUCCESS_THRESHOLD = 2;

  @Integer('It tries again after so many seconds.', INTERVAL)
  REDIS_CIRCUIT_BREAKER_RESET_TIMEOUT_SECONDS = 30;

  @Integer('First wait before a reconnection, in milliseconds; it doubles each time.', {
    min: 1,
    max: LONGEST_TIMER_MS,
  })
  REDIS_BACKOFF_INITIAL_DELAY_MS = 100;

  @Integer('Longest wait before a reconnection, in milliseconds.', { min: 1, max: LONGEST_TIMER_MS })
  REDIS_BACKOFF_MAX_DELAY_MS = 30_000;

  @Section('PostgreSQL', 'For every store that names postgres.')
  @Secret('A server, or `embedded:<folder>`: Ara runs a PostgreSQL of its own there.', {
    rule: 'postgres://…, postgresql://… or embedded:<folder>',
    check: isDatabaseUrl,
  })
  DATABASE_URL = 'postgres://localhost:5432/ara_notification';

  @Integer('Most connections to the database.', { min: 1, max: 1000 })
  DATABASE_POOL_SIZE = 10;

  @Integer('Longest wait for a connection, in seconds.', INTERVAL)
  DATABASE_CONNECT_TIMEOUT_SECONDS = 30;

  @Integer('An idle connection is closed after so many seconds.', INTERVAL)
  DATABASE_IDLE_TIMEOUT_SECONDS = 600;

  @Section('Cluster', 'Several nodes that act as one, over Redis.')
  @Flag('Be a node of a cluster.')
  CLUSTER_ENABLED = false;

  @Text('Name of this node, unlike all others.', {
    rule: '1 to 128 letters, digits, -, _ and .',
    check: (value) => /^[\w.-]{1,128}$/.test(value),
    aliases: ['CLUSTER_SERVER_ID'],
    unset: 'ara- and 32 random hexadecimal digits, new at each start',
  })
  CLUSTER_NODE_ID: string | undefined;

  @Choice(
    "Where the nodes find each other's users. `local`: a single node, even with `CLUSTER_ENABLED`.",
    ['local', 'redis'],
    {
      unset: 'redis with CLUSTER_ENABLED, else local',
    },
  )
  CLUSTER_SESSION_STORE: 'local' | 'redis' | undefined;

  @Text('Prefix of the session keys in Redis.', KEY_PREFIX)
  CLUSTER_SESSION_PREFIX = 'ara:cluster:sessions';

  @Integer(
    'Life of a session that its node no longer refreshes, in seconds; in a cluster longer than the heartbeat interval.',
    INTERVAL,
  )
  CLUSTER_SESSION_TTL_SECONDS = 60;

  @Text('Prefix of the Pub/Sub channels between the nodes.', KEY_PREFIX)
  CLUSTER_ROUTING_CHANNEL = 'ara:cluster:route';

  @Secret('Authenticates the messages between the nodes; the same on all of them.', {
    rule: 'at least 16 characters',
    minLength: 16,
    unset: 'derived from JWT_SECRET',
    remedy: NEW_SECRET,
  })
  CLUSTER_SECRET: string | undefined;

  @Integer('Longest wait for the delivery counts of the other nodes, in milliseconds.', { min: 0, max: 60_000 })
  CLUSTER_DELIVERY_WAIT_MS = 250;

  @Section('Logs, metrics, traces', 'What an operator sees.')
  @Choice('What is logged.', ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], {
    unset: 'what RUST_LOG says, else info',
  })
  LOG_LEVEL: LogLevel | undefined;

  @Text("A level or a list of directives, as the service's Rust predecessor took it: `info,ara=debug` means `debug`.", {
    rule: 'a level, or directives (target=level) separated by commas',
  })
  RUST_LOG: string | undefined;

  @Choice('One JSON object per line, or lines for people.', ['json', 'pretty'], {
    aliases: ['RUST_LOG_FORMAT'],
    unset: 'json in production, pretty in development',
  })
  LOG_FORMAT: 'json' | 'pretty' | undefined;

  @Flag('Export traces.')
  OTEL_ENABLED = false;

  @Text('Collector of the traces (OTLP over gRPC).', { rule: 'a URL (http:// or https://)', check: isHttpUrl })
  OTEL_ENDPOINT = 'http://localhost:4317';

  @Text('Name of the service in traces.', { rule: 'text' })
  OTEL_SERVICE_NAME = 'ara-notification-service';

  @Decimal('Share of the traces that are exported.', { min: 0, max: 1, when: 'OTEL_ENABLED' })
  OTEL_SAMPLING_RATIO = 1;

  @Integer('Serve `/metrics` on a port of its own.', { min: 1, max: 65_535, unset: 'the port of the service' })
  METRICS_PORT: number | undefined;

  @Secret('`/metrics` asks for this Bearer token.', {
    rule: 'printable ASCII without blanks',
    check: (value) => /^[\x21-\x7e]+$/.test(value),
    unset: 'it is open',
  })
  METRICS_TOKEN: string | undefined;

  @Flag('Frames carry the trace context in `metadata.traceparent`.')
  TRACE_IN_FRAMES = false;

  @Integer('A notification to itself every so many seconds, as a self-test; 0 = off.', {
    min: 0,
    max: LONGEST_TIMER_SECONDS,
  })
  CANARY_INTERVAL_SECONDS = 0;
}

export const VARIABLES = variablesOf(Environment);

/** Whether a RUN_MODE means production. */
export function isProduction(runMode: string): boolean {
  return ['production', 'prod'].includes(runMode.toLowerCase());
}

/** Whether this node acts with others: `CLUSTER_SESSION_STORE=local` makes it a single one. */
export function isClustered({ CLUSTER_ENABLED, CLUSTER_SESSION_STORE }: Environment): boolean {
  return CLUSTER_ENABLED && CLUSTER_SESSION_STORE !== 'local';
}
