import fc from 'fast-check';
import {
  type Answer,
  DocumentValidator,
  type OpenApi,
  type OpenApiOperation,
  resolve,
  type Schema,
} from '../support/api-documents';
import { AraProcess } from '../support/ara-process';
import { hostileId, inPath } from '../support/hostile';
import type { HttpAnswer } from '../support/http';
import { repeats } from '../support/repeats';
import { arbitraryOf } from '../support/schema-arbitrary';
import { TEST_API_KEY } from '../support/tokens';

/** `FUZZ_REQUESTS=100000 npx jest test/e2e/api-fuzz` asks longer and differently each time; FUZZ_SEED repeats a run. */
const { FUZZ_REQUESTS, FUZZ_SEED = FUZZ_REQUESTS === undefined ? '1' : String(Date.now() % 0x7fff_ffff) } = process.env;
const REQUESTS = Number(FUZZ_REQUESTS ?? repeats(2_000));
const SEED = Number(FUZZ_SEED);
const CHUNK = 500;
const AT_ONCE = 16;
const BODY_LIMIT = 65_536;
/** Rules that a schema cannot tell. */
const BEYOND_SCHEMA = /nested deeper|duplicate field|255 UTF-8 bytes|: required/;

interface FuzzRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | undefined;
}

let ara: AraProcess;
let document: OpenApi;
let answers: DocumentValidator;
let bodies: DocumentValidator;

beforeAll(async () => {
  ara = await AraProcess.start({
    TENANT_ENABLED: 'true',
    QUEUE_ENABLED: 'true',
    ACK_ENABLED: 'true',
    RATELIMIT_ENABLED: 'true',
    RATELIMIT_HTTP_REQUESTS_PER_SECOND: '100000',
    RATELIMIT_HTTP_BURST_SIZE: '100000',
    RATELIMIT_WS_CONNECTIONS_PER_MINUTE: '60',
    LOG_LEVEL: 'error',
  });
  document = (await ara.get('/openapi.json')).json<OpenApi>();
  answers = new DocumentValidator(document.components, true);
  bodies = new DocumentValidator(document.components);
  // Somebody listens, so that there is something to deliver, list and count.
  for (const tenant_id of ['acme', 'default']) {
    const client = await ara.ws('user-1', { tenant_id });
    await client.subscribe('orders', 'a', 'b');
    await ara.sse('a', { tenant_id });
  }
});

afterAll(() => ara.stop());

it(`answers ${REQUESTS} requests as its document says (FUZZ_SEED=${SEED})`, async () => {
  const requests = arbitraryRequest(document);
  const complaints: string[] = [];
  const seen = new Map<number, number>();
  for (let done = 0; done < REQUESTS && complaints.length < 5; done += CHUNK) {
    const batch = fc.sample(requests, { numRuns: Math.min(CHUNK, REQUESTS - done), seed: SEED + done });
    await inParallel(batch, async (request) => {
      const { method, path, headers, body } = request;
      const answer = await ara.http(method, path, { headers: { 'x-api-key': '', ...headers }, body });
      seen.set(answer.status, (seen.get(answer.status) ?? 0) + 1);
      const complaint = complaintOf(request, answer);
      if (complaint !== undefined) {
        complaints.push(
          `${complaint}\n  ${method} ${path} ${JSON.stringify(headers)} ${body?.toString().slice(0, 1_000) ?? ''}\n` +
            `  ${answer.status} ${answer.text.slice(0, 500)}`,
        );
      }
    });
  }
  expect(complaints.join('\n')).toBe('');
  // Otherwise the requests would be too dull to prove anything.
  const expected = [200, 201, 204, 400, 401, 403, 404, 405, 409, 413, 415, 422];
  if (REQUESTS >= 2_000) expect(expected.filter((status) => !seen.has(status))).toEqual([]);
  expect(ara.hasExited).toBe(false);
  expect(ara.output).not.toContain('"level":"error"');
}, 3_600_000);

function complaintOf(request: FuzzRequest, answer: HttpAnswer): string | undefined {
  if (answer.status >= 500) return 'a server error';
  if (request.method === 'OPTIONS') return answer.status === 200 && answer.text === '' ? undefined : 'not a preflight';
  const verbs = operationsAt(request.path);
  const method = request.method === 'HEAD' ? 'get' : request.method.toLowerCase();
  const operation = verbs?.[method];
  const described = describedAnswer(operation, verbs !== undefined, answer.status);
  if (described === undefined) return `status ${answer.status} is not in the document`;
  const problem = headerComplaint(described, answer) ?? bodyComplaint(described, request, answer);
  return problem ?? (operation === undefined ? undefined : judgementComplaint(operation, request, answer));
}

function operationsAt(path: string): Readonly<Record<string, OpenApiOperation>> | undefined {
  const bare = path.split('?', 1)[0]!;
  const exact = document.paths[bare];
  if (exact !== undefined) return exact;
  const [, found] =
    Object.entries(document.paths).find(([template]) =>
      new RegExp(`^${template.replaceAll('.', '\\.').replace(/\{\w+\}/g, '[^/]+')}$`).test(bare),
    ) ?? [];
  return found;
}

/** A path or verb that the document does not list is refused as any path may be, or by 404 and 405. */
function describedAnswer(
  operation: OpenApiOperation | undefined,
  isListed: boolean,
  status: number,
): Answer | undefined {
  if (operation === undefined && status === (isListed ? 405 : 404)) {
    return document.components.responses[isListed ? '405.METHOD_NOT_ALLOWED' : '404.NOT_FOUND'];
  }
  const { responses } = operation ?? document.paths['/api/v1/channels']!['get']!;
  if (operation === undefined && ![400, 401, 403].includes(status)) return undefined;
  const found = responses[status];
  return found !== undefined && '$ref' in found ? resolve<Answer>(document, found) : found;
}

function headerComplaint({ headers = {} }: Answer, answer: HttpAnswer): string | undefined {
  if (answer.headers['x-request-id'] === undefined) return 'no X-Request-Id';
  const known = Object.keys(headers).map((name) => name.toLowerCase());
  const [surplus] = Object.keys(answer.headers).filter(
    (name) => /^(x-ratelimit|retry-after|allow$)/.test(name) && !known.includes(name),
  );
  return surplus === undefined ? undefined : `header ${surplus} is not in the document`;
}

function bodyComplaint({ content }: Answer, { method }: FuzzRequest, answer: HttpAnswer): string | undefined {
  if (method === 'HEAD') return answer.text === '' ? undefined : 'a body after HEAD';
  if (content === undefined) return answer.text === '' ? undefined : 'a body where none is described';
  const type = answer.headers['content-type']?.split(';', 1)[0] ?? 'none';
  const described = content[type] ?? content['*/*'];
  if (described === undefined) return `content type ${type} is not in the document`;
  if (type !== 'application/json') return undefined;
  try {
    return answers.complaint(described.schema, answer.json());
  } catch {
    return 'no JSON';
  }
}

/** What the document forbids must not succeed, and what it allows must not be called malformed. */
function judgementComplaint(
  { requestBody }: OpenApiOperation,
  { body }: FuzzRequest,
  answer: HttpAnswer,
): string | undefined {
  const schema = requestBody?.content['application/json']?.schema;
  if (schema === undefined || body === undefined) return undefined;
  if (answer.status >= 300 && answer.status !== 422) return undefined;
  const complaint = bodies.complaint(schema, parsed(body));
  if (answer.status < 300) return complaint === undefined ? undefined : `accepted although ${complaint}`;
  return complaint === undefined && !BEYOND_SCHEMA.test(answer.text)
    ? 'refused although the document allows it'
    : undefined;
}

function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch {
    return undefined;
  }
}

function arbitraryRequest(api: OpenApi): fc.Arbitrary<FuzzRequest> {
  const operations = Object.entries(api.paths).flatMap(([path, verbs]) =>
    Object.entries(verbs).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
  );
  // An upgrade or an open stream has no answer to compare; without a token both refuse.
  return fc.oneof(
    ...operations.map(({ path, method, operation }) => ({
      arbitrary: requestOf(path, method, operation, api),
      weight: operation.requestBody === undefined ? 1 : 3,
    })),
  );
}

function requestOf(
  template: string,
  method: string,
  { requestBody }: OpenApiOperation,
  api: OpenApi,
): fc.Arbitrary<FuzzRequest> {
  const schema: Schema | undefined = requestBody?.content['application/json']?.schema;
  return fc
    .record({
      method: mostly(fc.constant(method), fc.constantFrom('GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS')),
      path: arbitraryPath(template),
      key: mostly(fc.constant(TEST_API_KEY), fc.constantFrom('', 'wrong', `${TEST_API_KEY}x`, '__proto__')),
      tenant: mostly(fc.constantFrom('acme', 'default'), headerText, fc.constant(undefined)),
      type: mostly(
        fc.constantFrom('application/json', 'application/json; charset=utf-8', 'application/problem+json'),
        fc.constantFrom('text/plain', 'application/jsonp', ''),
      ),
      requestId: fc.option(headerText, { nil: undefined }),
      body: schema === undefined ? fc.constant(undefined) : arbitraryBody(arbitraryOf(schema, api)),
    })
    .map((request) => ({
      method: request.method,
      path: request.path,
      body: request.body,
      headers: {
        'x-api-key': request.key,
        ...(request.tenant !== undefined && { 'x-tenant-id': request.tenant }),
        ...(request.requestId !== undefined && { 'x-request-id': request.requestId }),
        ...(request.body !== undefined && { 'content-type': request.type }),
      },
    }));
}

/** The first nearly always. */
function mostly<T>(usual: fc.Arbitrary<T>, ...others: fc.Arbitrary<T>[]): fc.Arbitrary<T> {
  return fc.oneof({ arbitrary: usual, weight: 20 }, ...others.map((arbitrary) => ({ arbitrary, weight: 1 })));
}

/** UTF-8 as HTTP carries it in a header, one character per byte, less what no header may hold. */
const headerText = hostileId.map((id) =>
  Buffer.from(id)
    .toString('latin1')
    .replace(/[^\x20-\x7e\x80-\xff]/g, ''),
);

function arbitraryPath(template: string): fc.Arbitrary<string> {
  const parameter = fc.oneof(
    fc.constantFrom('a', 'b', 'orders', 'user-1', 'acme', 'order-shipped'),
    fc.tuple(hostileId, fc.constantFrom('encoded', 'twice', 'raw')).map(([id, how]) => inPath(id, how)),
    fc.constantFrom('%', '%zz', '%E0%A4%A', '%ff'),
  );
  const parts = template.split(/\{\w+\}/);
  return fc
    .tuple(
      fc.tuple(...parts.map(() => parameter)),
      mostly(fc.constant(''), fc.constantFrom('/', '?a=b', '?token=%', '%20')),
    )
    .map(([values, end]) => parts.map((part, i) => (i === 0 ? part : `${values[i] ?? ''}${part}`)).join('') + end);
}

const DEEP = `{"payload":${'['.repeat(65)}${']'.repeat(65)}}`;

/** As the schema wants it, or with something wrong in it. */
function arbitraryBody(valid: fc.Arbitrary<unknown>): fc.Arbitrary<Buffer> {
  const text = valid.map((value) => JSON.stringify(value));
  return fc.oneof(
    { arbitrary: text.map((json) => Buffer.from(json)), weight: 10 },
    { arbitrary: fc.tuple(valid, fc.infiniteStream(fc.nat()), fc.jsonValue()).map(mutated), weight: 8 },
    {
      arbitrary: fc.oneof(
        text.map((json) => Buffer.from(json.slice(0, -1))),
        text.map((json) => Buffer.from(json.replace('{', '{"ttl":1,"ttl":2,'))),
        text.map((json) => Buffer.from(json.replace('{', '{"__proto__":{"a":1},"constructor":null,'))),
        text.map((json) => Buffer.concat([Buffer.from(json), Buffer.from([0xff])])),
        text.map((json) => Buffer.from(json.replace(/^\{/, `{"pad":"${'x'.repeat(BODY_LIMIT)}",`))),
        fc
          .constantFrom('', 'null', '[]', '0', '"', '{}', DEEP, '{'.repeat(40_000), '1e999')
          .map((json) => Buffer.from(json)),
        fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes)),
      ),
      weight: 2,
    },
  );
}

/** One value somewhere within is dropped or replaced by another. */
function mutated([value, choices, other]: [unknown, fc.Stream<number>, unknown]): Buffer {
  const root = { value: structuredClone(value) };
  let at: Record<string, unknown> = root;
  let key = 'value';
  for (const choice of choices.take(8)) {
    const inner = at[key];
    if (typeof inner !== 'object' || inner === null) break;
    const keys = Object.keys(inner);
    if (keys.length === 0 || choice % 4 === 0) break;
    at = inner as Record<string, unknown>;
    key = keys[choice % keys.length]!;
  }
  if (at !== root && JSON.stringify(other).length % 3 === 0) Reflect.deleteProperty(at, key);
  else Object.defineProperty(at, key, { value: other, enumerable: true, configurable: true, writable: true });
  return Buffer.from(JSON.stringify(root.value));
}

async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const rest = items.values();
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (const item of rest) await work(item);
    }),
  );
}
