import { pino, stdTimeFunctions, type DestinationStream, type LogFn, type Logger } from 'pino';
import type { TelemetryConfig } from '../config/ara-config';
import { safeError } from './safe-error';

const SECRET_FIELDS = ['authorization', 'cookie', 'password', 'secret', 'token', 'x-api-key', 'sec-websocket-protocol'];
const CONTENT_FIELDS = ['body', 'headers', 'payload', 'variables'];
/** What Nest tells of every module and route while it starts. */
const FRAMEWORK_CONTEXTS: ReadonlySet<unknown> = new Set(['InstanceLoader', 'RoutesResolver', 'RouterExplorer']);
const REDACTED = '[redacted]';

/** What may not be read in running text, and what stands in its place. */
const SECRET_TEXTS: readonly (readonly [RegExp, string])[] = [
  [/(:\/\/)[^\s/@"\\]+@/g, `$1${REDACTED}@`],
  [/([?&](?:token|access_token|api_key)=)[^&\s"\\]+/gi, `$1${REDACTED}`],
  [/\bBearer\s+[\w.~+/=-]+/gi, `Bearer ${REDACTED}`],
  // JSON.parse quotes its input, which may be a payload.
  [/Unexpected token .{1,300}? is not valid JSON/g, 'Invalid JSON'],
  [/\beyJ[\w-]{5,}\.[\w-]+\.[\w-]*/g, REDACTED],
];

export interface LoggerMeans {
  readonly activeTraceId?: (() => string | undefined) | undefined;
  /** Which of several processes on one port this is. */
  readonly worker?: number | undefined;
  /** In place of the standard output. */
  readonly destination?: DestinationStream | undefined;
}

/**
 * The one logger of the process: a JSON object per line and event, or text for people. Fields used throughout: `context`
 * (the class that speaks), `worker`, `request_id`, `connection_id`, `notification_id`, `trace_id`, `err`.
 *
 * A line never holds a payload, a token, a key or a password, whoever logs what: fields of such names are replaced, errors
 * are reduced to known fields, and the finished line is searched for credentials.
 */
export async function createLogger(
  config: TelemetryConfig,
  { activeTraceId, worker, destination }: LoggerMeans = {},
): Promise<Logger> {
  return pino(
    {
      level: config.logLevel,
      base: { pid: process.pid, ...(worker !== undefined && { worker }) },
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: [...SECRET_FIELDS, ...CONTENT_FIELDS].flatMap(pathsOf), censor: REDACTED },
      serializers: { err: safeError, error: safeError, url: withoutQuery },
      hooks: { streamWrite: withoutSecrets, logMethod: quietFramework },
      ...(activeTraceId !== undefined && {
        mixin: () => {
          const traceId = activeTraceId();
          return traceId === undefined ? {} : { trace_id: traceId };
        },
      }),
    },
    config.logFormat === 'pretty' ? await prettyStream(destination) : (destination ?? pino.destination(1)),
  );
}

function quietFramework(this: Logger, args: Parameters<LogFn>, write: LogFn, level: number): void {
  const [fields] = args as [{ context?: unknown } | string | undefined];
  const isChatter = typeof fields === 'object' && FRAMEWORK_CONTEXTS.has(fields.context);
  if (!isChatter || level !== this.levels.values['info']) write.apply(this, args);
  else this.debug(...args);
}

/** The path alone: tokens travel in queries, because browsers cannot set headers on a WebSocket. */
export function withoutQuery(url: unknown): string {
  return String(url).split('?', 1)[0] ?? '';
}

/** Replaces passwords in addresses, tokens in queries, Bearer tokens, JWTs, and what JSON.parse quotes. */
export function withoutSecrets(line: string): string {
  return SECRET_TEXTS.reduce((text, [pattern, replacement]) => text.replace(pattern, replacement), line);
}

function pathsOf(field: string): string[] {
  return [`["${field}"]`, `*["${field}"]`];
}

async function prettyStream(destination: DestinationStream | undefined): Promise<DestinationStream> {
  const { default: pretty } = await import('pino-pretty');
  return pretty({
    sync: true,
    colorize: process.stdout.isTTY,
    translateTime: 'SYS:HH:MM:ss.l',
    ignore: 'pid,context,worker',
    messageFormat: '{if worker}[{worker}] {end}{if context}{context}: {end}{msg}',
    ...(destination !== undefined && { destination }),
  });
}
