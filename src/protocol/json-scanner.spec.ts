import fc from 'fast-check';
import { FAILED, JsonScanner, MemberReader } from './json-scanner';

function accepts(text: string): boolean {
  const bytes = Buffer.from(text);
  const scanner = new JsonScanner(bytes);
  return scanner.skipSpace(scanner.valueEnd(scanner.skipSpace(0), 0)) === bytes.length && bytes.length > 0;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

describe('JsonScanner', () => {
  it.each([
    ...['0', '-0', '10', '-1.5', '1e5', '1E+5', '1.0e-5', 'true', 'false', 'null', '""', '"\\u00Af\\n\\/"', '[]', '{}'],
    ...[' [ 1 , {"a" : [ ] } ]\r\n\t', '{"a":1,"a":2}', '"\u007f\u2028é😀"'],
    ...['', ' ', '01', '1.', '.5', '+1', '-', '1e', '1e+', 'tru', 'nul', 'NaN', '"', '"\\"', '"\\u00g0"', '"\\x"'],
    ...['"\t"', '[1,]', '[,1]', '[1 2]', '[', ']', '{"a"}', '{"a":}', '{"a":1,}', '{a:1}', '{1:1}', "'a'", '1 1'],
  ])('agrees with a parser on %j', (text) => {
    expect(accepts(text)).toBe(isJson(text));
  });

  it('agrees with a parser on all that nearly is JSON', () => {
    const text = fc.jsonValue({ maxDepth: 3, stringUnit: 'binary' }).map((value) => JSON.stringify(value));
    fc.assert(
      fc.property(text, fc.nat(), fc.constantFrom(...Array.from('{}[]",:\\ 0-.eut\n')), (json, at, character) => {
        expect(accepts(json)).toBe(true);
        const position = at % (json.length + 1);
        for (const cut of [0, 1]) {
          const broken = json.slice(0, position) + character + json.slice(position + cut);
          expect(accepts(broken)).toBe(isJson(broken));
        }
      }),
      { numRuns: 500 },
    );
  });

  it('takes 64 levels and no more', () => {
    expect(accepts('['.repeat(64) + ']'.repeat(64))).toBe(true);
    expect(accepts('['.repeat(65) + ']'.repeat(65))).toBe(false);
    expect(accepts('['.repeat(100_000))).toBe(false);
  });
});

describe('MemberReader', () => {
  const reader = new MemberReader('a', 'bc');
  const read = (text: string): unknown => {
    const bytes = Buffer.from(text);
    if (reader.read(new JsonScanner(bytes), 0, 0) !== bytes.length) return undefined;
    return [0, 1].map((n) => (reader.start(n) === FAILED ? undefined : text.slice(reader.start(n), reader.end(n))));
  };

  it('finds the members that are there', () => {
    expect(read('{"bc": [1] ,"a":"x"}')).toEqual(['"x"', '[1]']);
    expect(read('{"a":1}')).toEqual(['1', undefined]);
    expect(read('{ }')).toEqual([undefined, undefined]);
  });

  it.each(['{"b":1}', '{"bcd":1}', '{"\\u0061":1}', '{"a":1,"a":2}', '{"a":1,}', '{"a" 1}', '{"a":1', '[]', ''])(
    'gives up on %s',
    (text) => {
      expect(read(text)).toBeUndefined();
    },
  );
});
