import { AraError } from '../notification/ara-error';
import { parseJsonBody } from './json-body';

const parse = (text: string) => parseJsonBody(Buffer.from(text));

function reasonOf(bytes: Buffer): string {
  try {
    parseJsonBody(bytes);
  } catch (error) {
    if (error instanceof AraError) return `${error.reason}: ${error.message}`;
    throw error;
  }
  return 'accepted';
}

describe('a JSON body', () => {
  it('gives the text of a member as it was written, less insignificant whitespace', () => {
    const body = parse(
      '{ "payload" : { "n": 12345678901234567890, "f": 1.0,\n "e": 1E5, "s": "\\u00e9 \\" }" } , "x": 1}',
    );
    expect(body.raw('payload')).toBe('{"n":12345678901234567890,"f":1.0,"e":1E5,"s":"\\u00e9 \\" }"}');
    expect(body.raw('x')).toBe('1');
    expect(body.raw('y')).toBeUndefined();
  });

  it('walks into members and elements with their paths', () => {
    const items = parse('{"a":[{"t":{"v":1.0}},7]}').member('a').elements();
    expect(items.map(({ value }) => value)).toEqual([{ t: { v: 1 } }, 7]);
    expect(items[0]?.member('t').raw('v')).toBe('1.0');
    expect(items[1]?.member('t').value).toBeUndefined();
    expect(parse('{"a":1}').member('a').elements()).toEqual([]);
    expect(parse('{}').member('a').elements()).toEqual([]);
    expect(parse('[1]').raw('a')).toBeUndefined();
  });

  it('refuses a repeated key of an object that we read, by any spelling, and names it', () => {
    expect(() => parse('{"ttl":1,"t\\u0074l":2}')).toThrow(/: ttl: duplicate field$/);
    expect(() => parse('{"__proto__":1,"__proto__":2}')).toThrow(/__proto__: duplicate field/);
    const body = parse('{"a":[{"t":{"v":1,"v":2}}]}');
    expect(() => body.member('a').elements()[0]?.member('t').requireUniqueKeys()).toThrow(
      /: a\[0\]\.t\.v: duplicate field/,
    );
  });

  it('carries repeated keys of a payload', () => {
    expect(parse('{"payload":{"a":1,"a":2}}').raw('payload')).toBe('{"a":1,"a":2}');
  });

  it.each([
    ['nothing', Buffer.alloc(0), 'INVALID_JSON: Failed to parse the request body as JSON: the body is empty'],
    ['invalid UTF-8', Buffer.from([0x22, 0xff, 0x22]), /^INVALID_JSON: .*not valid UTF-8$/],
    ['broken JSON', Buffer.from('{"a":}'), /^INVALID_JSON: Failed to parse the request body as JSON: /],
    ['broken JSON, without quoting it', Buffer.from('{"a":\n"secret" "secret"}'), /^[^"]*JSON at position \d+[^"]*$/],
    ['an unknown word, without quoting it', Buffer.from('{"a":"secret","b":secret}'), /Unexpected token 's'$/],
    ['two values', Buffer.from('{} {}'), /^INVALID_JSON/],
    ['a byte-order mark', Buffer.from('\uFEFF{}'), /^INVALID_JSON/],
    ['65 levels', Buffer.from('['.repeat(65) + ']'.repeat(65)), /^INVALID_SHAPE: .*deeper than 64 levels$/],
    ['a flood of brackets', Buffer.from('['.repeat(65_536)), /^INVALID_SHAPE/],
  ])('refuses %s', (_, bytes, expected) => {
    expect(reasonOf(bytes)).toMatch(expected);
  });

  it('accepts 64 levels', () => {
    expect(reasonOf(Buffer.from('['.repeat(64) + ']'.repeat(64)))).toBe('accepted');
  });
});
