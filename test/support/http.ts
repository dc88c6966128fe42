import { request, type IncomingHttpHeaders, type OutgoingHttpHeaders } from 'node:http';

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** The body, parsed; fails when it is not JSON. */
  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the caller knows what it asked for
  json<T = Record<string, unknown>>(): T;
}

export interface HttpRequest {
  readonly headers?: OutgoingHttpHeaders;
  /** Text and bytes go out as they are; anything else as JSON, with its content type. */
  readonly body?: unknown;
  readonly timeoutMs?: number;
}

/**
 * One HTTP request on a connection of its own. `path` is sent as it is written: nothing is normalised or encoded.
 * Unlike fetch it hides nothing: any status is an answer, and any header may be set.
 */
export function http(method: string, base: string, path: string, options: HttpRequest = {}): Promise<HttpAnswer> {
  const { headers = {}, body, timeoutMs = 10_000 } = options;
  const isRaw = typeof body === 'string' || Buffer.isBuffer(body) || body === undefined;
  const bytes = isRaw ? body : JSON.stringify(body);
  const { hostname, port } = new URL(base);
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        method,
        hostname,
        port,
        path,
        agent: false,
        headers: {
          ...(!isRaw && { 'content-type': 'application/json' }),
          ...(bytes !== undefined && { 'content-length': Buffer.byteLength(bytes) }),
          ...headers,
        },
        signal: AbortSignal.timeout(timeoutMs),
      },
      (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('error', reject);
        answer.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          resolve({
            status: answer.statusCode ?? 0,
            headers: answer.headers,
            text,
            // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- as above
            json: <T>() => JSON.parse(text) as T,
          });
        });
      },
    );
    outgoing.on('error', reject);
    outgoing.end(bytes);
  });
}
