import type { NodeId, TenantId } from '../notification/ids';

export type StoreBackend = 'memory' | 'redis' | 'postgres';
export type JwtAlgorithm = 'HS256' | 'RS256' | 'ES256';
export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';

export interface ServerConfig {
  readonly host: string;
  readonly port: number;
  /** Empty: any origin. */
  readonly corsOrigins: readonly string[];
  /** Number of proxies in front, or CIDRs of trusted proxies; 0 takes the peer's address. */
  readonly trustProxy: number | readonly string[];
  readonly fastPath: boolean;
  readonly workers: number;
  readonly shutdownGraceSeconds: number;
  readonly docsEnabled: boolean;
}

export interface JwtConfig {
  readonly algorithm: JwtAlgorithm;
  /** HS256: the secret and, for rotation, the previous one. Otherwise PEM texts of public keys. The first is the current one. */
  readonly keys: readonly string[];
  readonly issuer: string | undefined;
  readonly audience: string | undefined;
  readonly leewaySeconds: number;
}

export interface ApiKeyConfig {
  /** Keys that may name any tenant: API_KEY, API_KEY_PREVIOUS. */
  readonly general: readonly string[];
  /** TENANT_<ID>_API_KEY. */
  readonly bound: readonly { readonly key: string; readonly tenant: TenantId }[];
}

export interface WebSocketConfig {
  readonly heartbeatSeconds: number;
  readonly connectionTimeoutSeconds: number;
  readonly cleanupSeconds: number;
  /** 0 = unlimited, as in every limit below. */
  readonly maxConnections: number;
  readonly maxConnectionsPerUser: number;
  readonly maxSubscriptionsPerConnection: number;
  readonly closeOnTokenExpiry: boolean;
  readonly sendConnected: boolean;
  readonly compression: boolean;
}

export interface SseConfig {
  readonly autoSubscribe: boolean;
}

export interface QueueConfig {
  readonly enabled: boolean;
  readonly backend: StoreBackend;
  readonly maxSizePerUser: number;
  readonly ttlSeconds: number;
  readonly cleanupSeconds: number;
  readonly redisPrefix: string;
  readonly maxDeliveries: number;
  readonly redeliverUnacked: boolean;
  /** Replicas that must have an entry before it counts as stored. */
  readonly redisWait: number;
}

export interface AckConfig {
  readonly enabled: boolean;
  readonly backend: StoreBackend;
  readonly timeoutSeconds: number;
  readonly cleanupSeconds: number;
  readonly redisPrefix: string;
}

export interface TemplateConfig {
  readonly backend: StoreBackend;
}

/** How every store is reached: longest wait for an answer, and how long a start retries. */
export interface StoreConfig {
  readonly timeoutMs: number;
  readonly bootTimeoutSeconds: number;
}

export interface RateLimitConfig {
  readonly enabled: boolean;
  readonly backend: 'local' | 'redis';
  readonly redisPrefix: string;
  readonly httpRequestsPerSecond: number;
  readonly httpBurst: number;
  readonly wsConnectionsPerMinute: number;
  readonly wsMessagesPerSecond: number;
  readonly cleanupSeconds: number;
}

export interface TenantLimits {
  readonly maxConnections: number;
  readonly maxConnectionsPerUser: number;
  readonly maxSubscriptionsPerConnection: number;
}

export interface TenantConfig {
  readonly enabled: boolean;
  readonly requireHeader: boolean;
  /** A trigger without a tenant reaches all tenants. */
  readonly redisUnscoped: boolean;
  readonly defaultLimits: TenantLimits;
  readonly limits: ReadonlyMap<TenantId, TenantLimits>;
}

export interface RedisConfig {
  readonly url: string;
  readonly channels: readonly string[];
  readonly triggerStrict: boolean;
  /** undefined: off. */
  readonly ingestStream: string | undefined;
  readonly breakerFailureThreshold: number;
  readonly breakerSuccessThreshold: number;
  readonly breakerResetSeconds: number;
  readonly backoffInitialMs: number;
  readonly backoffMaxMs: number;
}

export interface DatabaseConfig {
  /** `postgres://…` or `embedded:<folder>`. */
  readonly url: string;
  readonly poolSize: number;
  readonly connectTimeoutSeconds: number;
  readonly idleTimeoutSeconds: number;
}

export interface ClusterConfig {
  readonly enabled: boolean;
  /** Of this process. */
  readonly nodeId: NodeId;
  /** Of all workers of this machine together: the same, unless there are several. */
  readonly machineId: NodeId;
  readonly sessionStore: 'local' | 'redis';
  readonly sessionPrefix: string;
  readonly sessionTtlSeconds: number;
  readonly routingChannel: string;
  /** Authenticates the messages between nodes. */
  readonly secret: string;
  readonly deliveryWaitMs: number;
}

export interface TelemetryConfig {
  readonly logLevel: LogLevel;
  readonly logFormat: 'json' | 'pretty';
  readonly otelEnabled: boolean;
  readonly otelEndpoint: string;
  readonly otelServiceName: string;
  readonly otelSamplingRatio: number;
  /** undefined: on the service's port. */
  readonly metricsPort: number | undefined;
  readonly metricsToken: string | undefined;
  readonly traceInFrames: boolean;
  /** 0: off. */
  readonly canaryIntervalSeconds: number;
}

/** Everything that an operator may set, read once at start, validated, immutable. Type and injection token in one. */
export abstract class AraConfig {
  abstract readonly production: boolean;
  abstract readonly server: ServerConfig;
  abstract readonly jwt: JwtConfig;
  abstract readonly apiKeys: ApiKeyConfig;
  abstract readonly webSocket: WebSocketConfig;
  abstract readonly sse: SseConfig;
  abstract readonly queue: QueueConfig;
  abstract readonly ack: AckConfig;
  abstract readonly template: TemplateConfig;
  abstract readonly store: StoreConfig;
  abstract readonly rateLimit: RateLimitConfig;
  abstract readonly tenant: TenantConfig;
  abstract readonly redis: RedisConfig;
  abstract readonly database: DatabaseConfig;
  abstract readonly cluster: ClusterConfig;
  abstract readonly telemetry: TelemetryConfig;
}
