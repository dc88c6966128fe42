import { isUtf8 } from 'node:buffer';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { AraError } from '../notification/ara-error';
import {
  compact,
  elements,
  MAX_JSON_DEPTH,
  members,
  nestsDeeperThan,
  type Member,
  type RawJson,
} from '../protocol/raw-json';

const NO_BYTES = Buffer.alloc(0);
const JSON_TYPE = /^application\/(?:[\w!#$&^.+-]+\+)?json\s*(?:;|$)/i;
/** What precedes the reason whenever valid JSON is not what an endpoint asks for. */
export const SHAPE_FAILURE = 'Failed to deserialize the JSON body into the target type';

/** A JSON value together with the text that it was read from: values are validated, texts are carried on. */
export class JsonBody {
  #members: readonly Member[] | undefined;

  /** @param text valid JSON of which `value` is what stands at `at`; @param path names this value in messages, '' for the whole. */
  constructor(
    readonly value: unknown,
    private readonly text: string,
    private readonly at = 0,
    private readonly path = '',
  ) {}

  /** The text of a member without insignificant whitespace; undefined when there is none, or no object. */
  raw(key: string): RawJson | undefined {
    const member = this.#find(key);
    return member === undefined ? undefined : compact(this.text, member);
  }

  /** A member as a body of its own; its value is undefined when there is none. */
  member(key: string): JsonBody {
    const start = this.#find(key)?.start ?? this.text.length;
    const value: unknown = isObject(this.value) ? this.value[key] : undefined;
    return new JsonBody(value, this.text, start, this.path === '' ? key : `${this.path}.${key}`);
  }

  /** The elements of an array, each as a body of its own; [] for anything else. O(length of the array's text). */
  elements(): JsonBody[] {
    const { value } = this;
    if (!Array.isArray(value)) return [];
    const values: readonly unknown[] = value;
    return elements(this.text, this.at).map(
      ({ start }, index) => new JsonBody(values[index], this.text, start, `${this.path}[${index}]`),
    );
  }

  /**
   * Throws INVALID_SHAPE when an object repeats a key: two readers of one request could see two requests. Asked of the
   * objects that we read ourselves; within payloads everything is carried as it came.
   */
  requireUniqueKeys(): this {
    if (!isObject(this.value)) return this;
    const list = this.#list();
    if (list.length === Object.keys(this.value).length) return this;
    const seen = new Set<string>();
    const repeated = list.find(({ key }) => seen.size === seen.add(key).size)?.key ?? '';
    const field = this.path === '' ? repeated : `${this.path}.${repeated}`;
    throw new AraError('INVALID_SHAPE', `${SHAPE_FAILURE}: ${field}: duplicate field`, {
      details: { errors: [{ field, message: 'duplicate field' }] },
    });
  }

  #list(): readonly Member[] {
    return (this.#members ??= isObject(this.value) ? members(this.text, this.at) : []);
  }

  #find(key: string): Member | undefined {
    return this.#list().findLast((member) => member.key === key);
  }
}

/**
 * Reads the bytes of a request's JSON and hands them to `done`, or what is wrong with them. Refuses, in this order: a
 * length over the limit (413, before the type is looked at), another content type (415), a body that turns out too long
 * (413). What is in the bytes is `parseJsonBody`'s business. Throws what can be told from the headers.
 */
export function receiveJson(
  request: IncomingMessage,
  response: ServerResponse,
  limitBytes: number,
  done: (received: Buffer | AraError) => void,
): void {
  const { 'content-length': length, 'content-type': type, expect } = request.headers;
  if (Number(length ?? 0) > limitBytes) throw tooLarge('length limit exceeded', limitBytes);
  if (!JSON_TYPE.test(type ?? '')) {
    throw new AraError('UNSUPPORTED_MEDIA_TYPE', 'Expected request with `Content-Type: application/json`');
  }
  requireIdentity(request.headers['content-encoding']);
  if (expect !== undefined) response.writeContinue();
  receiveBytes(request, limitBytes, done);
}

/**
 * Refuses, in this order: invalid UTF-8, no JSON or none at all (400), JSON nested too deep (422, before it is parsed), a
 * repeated key of the outermost object (422).
 */
export function parseJsonBody(bytes: Buffer): JsonBody {
  if (bytes.length === 0) throw invalidJson('the body is empty');
  if (!isUtf8(bytes)) throw invalidJson('the body is not valid UTF-8');
  const text = bytes.toString();
  if (nestsDeeperThan(text)) {
    throw new AraError('INVALID_SHAPE', `${SHAPE_FAILURE}: nested deeper than ${MAX_JSON_DEPTH} levels`);
  }
  return new JsonBody(parse(text), text).requireUniqueKeys();
}

const QUOTED_INPUT = /, (\.\.\.)?".*$/s;

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    // What the parser quotes of its input may be a payload, and an answer may end up in somebody's log.
    throw invalidJson(error instanceof Error ? error.message.replace(QUOTED_INPUT, '') : 'invalid JSON');
  }
}

/** Calls `done` once. Most bodies are one chunk, which is handed on as it is. */
function receiveBytes(request: IncomingMessage, limitBytes: number, done: (received: Buffer | AraError) => void): void {
  let whole: Buffer | undefined;
  let chunks: Buffer[] | undefined;
  let size = 0;
  let isDone = false;
  const finish = (received: Buffer | AraError): void => {
    if (isDone) return;
    isDone = true;
    done(received);
  };
  const take = (chunk: Buffer): void => {
    size += chunk.length;
    if (size > limitBytes) {
      request.off('data', take).pause();
      finish(tooLarge('Failed to buffer the request body: length limit exceeded', limitBytes));
    } else if (whole === undefined) whole = chunk;
    else (chunks ??= [whole]).push(chunk);
  };
  request
    .on('data', take)
    .on('end', () => {
      finish(chunks === undefined ? (whole ?? NO_BYTES) : Buffer.concat(chunks, size));
    })
    .on('error', () => {
      finish(new AraError('INVALID_JSON', 'The connection ended within the body'));
    });
}

function requireIdentity(encoding: string | undefined): void {
  if (encoding === undefined || encoding.toLowerCase() === 'identity') return;
  throw new AraError('UNSUPPORTED_MEDIA_TYPE', 'Compressed request bodies are not supported');
}

function tooLarge(message: string, limitBytes: number): AraError {
  return new AraError('PAYLOAD_TOO_LARGE', message, { details: { limit_bytes: limitBytes } });
}

function invalidJson(reason: string): AraError {
  return new AraError('INVALID_JSON', `Failed to parse the request body as JSON: ${reason}`);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
