import { compact, MAX_JSON_DEPTH, type RawJson, trustedRawJson } from './raw-json';

/** What stands where it should not: no JSON, or something that is left to a full parser. */
export const FAILED = -1;

const QUOTE = 0x22;
const PLUS = 0x2b;
const COMMA = 0x2c;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const SMALL_E = 0x65;
const SMALL_U = 0x75;
const ESCAPABLE = new Set(Buffer.from('"\\/bfnrtu'));
const WORDS = ['true', 'false', 'null'].map((word) => Buffer.from(word));

/**
 * Reads JSON where it lies, in its bytes, and builds nothing: a parser makes an object of every payload only to have it
 * thrown away. Everything it accepts is valid JSON (RFC 8259) of at most MAX_JSON_DEPTH levels; that the bytes are UTF-8
 * it does not check.
 *
 * All positions are offsets in the bytes; `…End` gives the one behind what starts at `at`, or FAILED. O(length).
 */
export class JsonScanner {
  /** So far: */
  isCompact = true;
  isAscii = true;
  #hasEscapes = false;

  constructor(readonly bytes: Buffer) {}

  skipSpace(at: number): number {
    let i = at;
    for (let byte = this.bytes[i]; byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;) {
      byte = this.bytes[++i];
    }
    if (i !== at) this.isCompact = false;
    return i;
  }

  /** @param depth arrays and objects that are open at `at`. */
  valueEnd(at: number, depth: number): number {
    const first = this.bytes[at];
    if (first === QUOTE) return this.stringEnd(at);
    if (first === OPEN_BRACE || first === OPEN_BRACKET) return this.#containerEnd(at, depth + 1, first === OPEN_BRACE);
    if (first === MINUS || isDigit(first)) return this.#numberEnd(at);
    const word = WORDS.find((letters) => this.#stands(letters, at));
    return word === undefined ? FAILED : at + word.length;
  }

  stringEnd(at: number): number {
    const { bytes } = this;
    if (bytes[at] !== QUOTE) return FAILED;
    for (let i = at + 1; i < bytes.length; i++) {
      const byte = bytes[i] ?? 0;
      if (byte === QUOTE) return i + 1;
      if (byte < 0x20) return FAILED;
      if (byte === BACKSLASH) {
        this.#hasEscapes = true;
        const escaped = bytes[++i] ?? 0;
        if (!ESCAPABLE.has(escaped)) return FAILED;
        if (escaped === SMALL_U) {
          for (let digits = 0; digits < 4; digits++) if (!isHexDigit(bytes[++i])) return FAILED;
        }
      } else if (byte >= 0x80) this.isAscii = false;
    }
    return FAILED;
  }

  /** The text of a string that is written without escapes; undefined for every other value. */
  plainString(start: number, end: number): string | undefined {
    if (this.bytes[start] !== QUOTE) return undefined;
    const text = this.#slice(start + 1, end - 1);
    return this.#hasEscapes && text.includes('\\') ? undefined : text;
  }

  /** The value as it was written, less insignificant whitespace. */
  raw(start: number, end: number): RawJson {
    const text = this.#slice(start, end);
    return this.isCompact ? trustedRawJson(text) : compact(text, { start: 0, end: text.length });
  }

  #slice(start: number, end: number): string {
    return this.bytes.toString(this.isAscii ? 'latin1' : 'utf8', start, end);
  }

  #containerEnd(at: number, depth: number, isObject: boolean): number {
    const { bytes } = this;
    const close = isObject ? CLOSE_BRACE : CLOSE_BRACKET;
    if (depth > MAX_JSON_DEPTH) return FAILED;
    let i = this.skipSpace(at + 1);
    if (bytes[i] === close) return i + 1;
    for (;;) {
      if (isObject) {
        const keyEnd = this.stringEnd(i);
        if (keyEnd === FAILED) return FAILED;
        i = this.skipSpace(keyEnd);
        if (bytes[i] !== COLON) return FAILED;
        i = this.skipSpace(i + 1);
      }
      const end = this.valueEnd(i, depth);
      if (end === FAILED) return FAILED;
      i = this.skipSpace(end);
      if (bytes[i] === close) return i + 1;
      if (bytes[i] !== COMMA) return FAILED;
      i = this.skipSpace(i + 1);
    }
  }

  #numberEnd(at: number): number {
    const { bytes } = this;
    let i = bytes[at] === MINUS ? at + 1 : at;
    if (bytes[i] === ZERO) i++;
    else if ((i = this.#digitsEnd(i)) === FAILED) return FAILED;
    if (bytes[i] === POINT && (i = this.#digitsEnd(i + 1)) === FAILED) return FAILED;
    if (((bytes[i] ?? 0) | 0x20) !== SMALL_E) return i;
    const sign = bytes[i + 1];
    return this.#digitsEnd(sign === PLUS || sign === MINUS ? i + 2 : i + 1);
  }

  /** At least one digit. */
  #digitsEnd(at: number): number {
    let i = at;
    while (isDigit(this.bytes[i])) i++;
    return i === at ? FAILED : i;
  }

  #stands(letters: Buffer, at: number): boolean {
    for (let i = 0; i < letters.length; i++) if (this.bytes[at + i] !== letters[i]) return false;
    return true;
  }
}

/**
 * Finds the members of an object that has no others than these, each at most once and spelled without escapes. One
 * reader serves all objects of its kind: what it found holds until the next `read`.
 */
export class MemberReader {
  readonly #names: readonly Buffer[];
  readonly #starts: number[];
  readonly #ends: number[];

  constructor(...names: readonly string[]) {
    this.#names = names.map((name) => Buffer.from(`${name}"`));
    this.#starts = names.map(() => FAILED);
    this.#ends = names.map(() => FAILED);
  }

  /** Where the value of the n-th name starts, or FAILED when it is missing. */
  start(n: number): number {
    return this.#starts[n] ?? FAILED;
  }

  end(n: number): number {
    return this.#ends[n] ?? FAILED;
  }

  /** The value of the n-th name, if it is a string that is written without escapes. */
  text(scanner: JsonScanner, n: number): string | undefined {
    const start = this.start(n);
    return start === FAILED ? undefined : scanner.plainString(start, this.end(n));
  }

  /** Whether the bytes are one such object and nothing behind it. */
  readWhole(scanner: JsonScanner): boolean {
    const end = this.read(scanner, scanner.skipSpace(0), 0);
    return end !== FAILED && scanner.skipSpace(end) === scanner.bytes.length;
  }

  /** Where the object at `at` ends, or FAILED. @param depth arrays and objects that are open at `at`. */
  read(scanner: JsonScanner, at: number, depth: number): number {
    const { bytes } = scanner;
    this.#starts.fill(FAILED);
    if (bytes[at] !== OPEN_BRACE) return FAILED;
    let i = scanner.skipSpace(at + 1);
    if (bytes[i] === CLOSE_BRACE) return i + 1;
    for (;;) {
      if (bytes[i] !== QUOTE) return FAILED;
      const n = this.#nameAt(bytes, i + 1);
      if (n === FAILED || this.#starts[n] !== FAILED) return FAILED;
      i = scanner.skipSpace(i + 1 + (this.#names[n]?.length ?? 0));
      if (bytes[i] !== COLON) return FAILED;
      i = scanner.skipSpace(i + 1);
      const end = scanner.valueEnd(i, depth + 1);
      if (end === FAILED) return FAILED;
      this.#starts[n] = i;
      this.#ends[n] = end;
      i = scanner.skipSpace(end);
      if (bytes[i] === CLOSE_BRACE) return i + 1;
      if (bytes[i] !== COMMA) return FAILED;
      i = scanner.skipSpace(i + 1);
    }
  }

  #nameAt(bytes: Buffer, at: number): number {
    for (let n = 0; n < this.#names.length; n++) {
      const name = this.#names[n];
      if (name === undefined) continue;
      let i = 0;
      while (i < name.length && bytes[at + i] === name[i]) i++;
      if (i === name.length) return n;
    }
    return FAILED;
  }
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= ZERO && byte <= NINE;
}

function isHexDigit(byte: number | undefined): boolean {
  if (byte === undefined) return false;
  const letter = byte | 0x20;
  return isDigit(byte) || (letter >= 0x61 && letter <= 0x66);
}
