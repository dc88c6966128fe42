import type { Brand } from '../notification/ids';

/** JSON text of one value, known to be valid and free of insignificant whitespace, hence free of line ends. */
export type RawJson = Brand<string, 'RawJson'>;

/** Where a value stands in a text: from `start` up to, not including, `end`. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

export interface Member extends Span {
  readonly key: string;
}

/** JSON nested deeper than this is refused at every door, before it is parsed: the stack of a recursive reader is finite. */
export const MAX_JSON_DEPTH = 64;

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

/** Whether arrays and objects nest deeper than `limit`. Works on any text, O(length), no recursion. */
export function nestsDeeperThan(text: string, limit: number = MAX_JSON_DEPTH): boolean {
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === QUOTE) i = closingQuote(text, i);
    else if (code === OPEN_BRACE || code === OPEN_BRACKET) {
      if (++depth > limit) return true;
    } else if (code === CLOSE_BRACE || code === CLOSE_BRACKET) depth--;
  }
  return false;
}

/** The members of the object that starts at `at` of a valid JSON text, in order, repeated keys included; [] if no object stands there. */
export function members(text: string, at = 0): Member[] {
  let i = skipSpace(text, at);
  if (text.charCodeAt(i) !== OPEN_BRACE) return [];
  const found: Member[] = [];
  i = skipSpace(text, i + 1);
  while (text.charCodeAt(i) === QUOTE) {
    const keyEnd = closingQuote(text, i);
    const key = decodeKey(text, i, keyEnd);
    const colon = skipSpace(text, keyEnd + 1);
    if (text.charCodeAt(colon) !== COLON) break;
    const start = skipSpace(text, colon + 1);
    const end = valueEnd(text, start);
    found.push({ key, start, end });
    i = skipSpace(text, end);
    if (text.charCodeAt(i) !== COMMA) break;
    i = skipSpace(text, i + 1);
  }
  return found;
}

/** The elements of the array that starts at `at` of a valid JSON text; [] if no array stands there. */
export function elements(text: string, at = 0): Span[] {
  let i = skipSpace(text, at);
  if (text.charCodeAt(i) !== OPEN_BRACKET) return [];
  const found: Span[] = [];
  i = skipSpace(text, i + 1);
  while (i < text.length && text.charCodeAt(i) !== CLOSE_BRACKET) {
    const end = valueEnd(text, i);
    found.push({ start: i, end });
    i = skipSpace(text, end);
    if (text.charCodeAt(i) !== COMMA) break;
    i = skipSpace(text, i + 1);
  }
  return found;
}

/** The value at `span` of a valid JSON text, without insignificant whitespace; numbers, escapes, key order and repeated keys stay as they were written. */
export function compact(text: string, span: Span): RawJson {
  let kept = '';
  let from = span.start;
  for (let i = span.start; i < span.end; i++) {
    const code = text.charCodeAt(i);
    if (code === QUOTE) i = closingQuote(text, i);
    else if (isSpace(code)) {
      kept += text.slice(from, i);
      from = i + 1;
    }
  }
  return (kept + text.slice(from, span.end)) as RawJson;
}

/** A value of this process as JSON text. */
export function toRawJson(value: unknown): RawJson {
  return JSON.stringify(value) as RawJson;
}

const NEEDS_NO_ESCAPE = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/;

/** A text as a JSON string, as JSON.stringify writes it. */
export function quoted(text: string): string {
  return NEEDS_NO_ESCAPE.test(text) ? `"${text}"` : JSON.stringify(text);
}

/** Text that is known to be compact JSON already: what a store or a fellow node gives back. */
export function trustedRawJson(text: string): RawJson {
  return text as RawJson;
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
}

function skipSpace(text: string, at: number): number {
  let i = at;
  while (isSpace(text.charCodeAt(i))) i++;
  return i;
}

/** The index of the quote that ends the string opened at `open`; the text's length if it never ends. */
function closingQuote(text: string, open: number): number {
  for (let i = text.indexOf('"', open + 1); i !== -1; i = text.indexOf('"', i + 1)) {
    let escapes = 0;
    while (text.charCodeAt(i - 1 - escapes) === BACKSLASH) escapes++;
    if (escapes % 2 === 0) return i;
  }
  return text.length;
}

function decodeKey(text: string, open: number, close: number): string {
  const raw = text.slice(open + 1, close);
  return raw.includes('\\') ? String(JSON.parse(text.slice(open, close + 1))) : raw;
}

/** Where the value that starts at `start` ends. */
function valueEnd(text: string, start: number): number {
  const first = text.charCodeAt(start);
  if (first === QUOTE) return closingQuote(text, start) + 1;
  if (first !== OPEN_BRACE && first !== OPEN_BRACKET) return scalarEnd(text, start);
  let depth = 0;
  for (let i = start; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === QUOTE) i = closingQuote(text, i);
    else if (code === OPEN_BRACE || code === OPEN_BRACKET) depth++;
    else if ((code === CLOSE_BRACE || code === CLOSE_BRACKET) && --depth === 0) return i + 1;
  }
  return text.length;
}

function scalarEnd(text: string, start: number): number {
  let i = start;
  while (i < text.length) {
    const code = text.charCodeAt(i);
    if (code === COMMA || code === CLOSE_BRACE || code === CLOSE_BRACKET || isSpace(code)) break;
    i++;
  }
  return i;
}
