import type { ErrorReason } from '../notification/ara-error';
import { ErrorResponse } from '../rest/dto/ops.dto';
import { type ErrorEntry, errorEntry } from './error-catalogue';
import { type Json, JSON_TYPE, type JsonSchema, type SchemaComponents } from './json-schema';
import type { Answer, Operation } from './operation';

const HEADERS = {
  'X-Request-Id': ['string', "The request's own, when it brought a harmless one, else a new one"],
  'X-RateLimit-Limit': ['integer', 'Requests per second. This and the next two only with RATELIMIT_ENABLED'],
  'X-RateLimit-Remaining': ['integer', 'Requests that may come at once'],
  'X-RateLimit-Reset': ['integer', 'Unix time in seconds when the bucket is full again'],
  'Retry-After': ['integer', 'Seconds to wait'],
  Allow: ['string', 'The verbs that the path knows'],
} as const;

type Header = keyof typeof HEADERS;

const OPEN_HEADERS: readonly Header[] = ['X-Request-Id'];
const KEY_HEADERS: readonly Header[] = [
  'X-Request-Id',
  'X-RateLimit-Limit',
  'X-RateLimit-Remaining',
  'X-RateLimit-Reset',
];

/** What any path that asks for a key may answer. */
const KEY_ERRORS: readonly ErrorReason[] = [
  'INVALID_TENANT',
  'UNAUTHORIZED',
  'TENANT_ACCESS_DENIED',
  'RATE_LIMITED',
  'INTERNAL_ERROR',
  'REDIS_ERROR',
  'CONFIG_ERROR',
  'CLUSTER_ERROR',
  'SHUTTING_DOWN',
];
const BODY_ERRORS: readonly ErrorReason[] = [
  'INVALID_JSON',
  'PAYLOAD_TOO_LARGE',
  'UNSUPPORTED_MEDIA_TYPE',
  'INVALID_SHAPE',
];
/** Answers of paths and verbs that the document does not list. */
const UNLISTED: readonly ErrorReason[] = ['NOT_FOUND', 'METHOD_NOT_ALLOWED'];

/** The answers of operations; error answers that are alike stand once, as components. */
export class ResponseComponents {
  readonly #errors = new Map<string, Json>();
  readonly #error: JsonSchema;

  constructor(private readonly schemas: SchemaComponents) {
    this.#error = schemas.output(ErrorResponse);
    for (const reason of UNLISTED) this.#reference([errorEntry(reason)], KEY_HEADERS);
  }

  get headers(): Json {
    return Object.fromEntries(
      Object.entries(HEADERS).map(([name, [type, description]]) => [name, { description, schema: { type } }]),
    );
  }

  /** Named by status and codes. */
  get responses(): Json {
    return Object.fromEntries([...this.#errors].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  /** All answers of an operation, by status. */
  of(operation: Operation): Json {
    const headers = operation.access === 'key' ? KEY_HEADERS : OPEN_HEADERS;
    const byStatus: Record<number, Json> = {};
    for (const [status, answer] of Object.entries(operation.answers)) {
      byStatus[Number(status)] = this.#answer(answer, headers);
    }
    const errors = errorsOf(operation).map(errorEntry);
    for (const status of new Set(errors.map((entry) => entry.status))) {
      const entries = errors.filter((entry) => entry.status === status);
      const own = byStatus[status];
      byStatus[status] =
        own === undefined ? this.#reference(entries, headers) : merged(own, this.#response(entries, headers));
    }
    return byStatus;
  }

  #answer(answer: Answer, names: readonly Header[]): Json {
    const { description } = answer;
    const own = { description, headers: headerReferences(names) };
    if ('schema' in answer) return { ...own, content: { [JSON_TYPE]: { schema: this.schemas.output(answer.schema) } } };
    if ('mediaType' in answer) return { ...own, content: { [answer.mediaType]: { schema: { type: 'string' } } } };
    return own;
  }

  #reference(entries: readonly ErrorEntry[], headers: readonly Header[]): Json {
    const name = [entries[0]?.status, ...codesOf(entries), ...(headers === OPEN_HEADERS ? ['open'] : [])].join('.');
    if (!this.#errors.has(name)) this.#errors.set(name, this.#response(entries, headers));
    return { $ref: `#/components/responses/${name}` };
  }

  #response(entries: readonly ErrorEntry[], headers: readonly Header[]): Json {
    const codes = codesOf(entries);
    const isLimited = codes.includes('RATE_LIMITED');
    const isPassing = isLimited || entries.some(({ status }) => status === 503);
    const hasVerbs = codes.includes('METHOD_NOT_ALLOWED');
    return {
      description: entries.map(({ code, meaning }) => `\`${code}\`: ${meaning}`).join('\n\n'),
      headers: headerReferences([
        ...(isLimited ? KEY_HEADERS : headers),
        ...(isPassing ? (['Retry-After'] as const) : []),
        ...(hasVerbs ? (['Allow'] as const) : []),
      ]),
      content: {
        [JSON_TYPE]: { schema: { ...this.#error, properties: { error: { properties: { code: { enum: codes } } } } } },
      },
    };
  }
}

function errorsOf({ access, ofOneTenant = false, parameters = [], request, errors = [] }: Operation): ErrorReason[] {
  const isAddressed = parameters.some((parameter) => parameter.in === 'path');
  return [
    ...new Set<ErrorReason>([
      // Broken percent-encoding.
      ...(isAddressed ? (['VALIDATION_ERROR'] as const) : []),
      ...errors,
      ...(request === undefined ? [] : BODY_ERRORS),
      ...(ofOneTenant ? (['TENANT_REQUIRED'] as const) : []),
      ...(access === 'key' ? KEY_ERRORS : []),
    ]),
  ];
}

function codesOf(entries: readonly ErrorEntry[]): string[] {
  return [...new Set(entries.map(({ code }) => code))];
}

/** One status with two kinds of bodies. */
function merged(own: Json, added: Json): Json {
  return {
    description: `${String(own['description'])}\n\n${String(added['description'])}`,
    headers: { ...(own['headers'] as Json), ...(added['headers'] as Json) },
    content: { ...(own['content'] as Json | undefined), ...(added['content'] as Json) },
  };
}

function headerReferences(names: readonly Header[]): Json {
  return Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]));
}
