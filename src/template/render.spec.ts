import fc from 'fast-check';
import { repeats } from '../../test/support/repeats';
import { AraError } from '../notification/ara-error';
import { compact, toRawJson, trustedRawJson, type RawJson } from '../protocol/raw-json';
import { compile, MAX_RENDERED_BYTES, render, type Rendering } from './render';
import { Variables } from './variables';

function json(text: string): RawJson {
  return compact(text, { start: 0, end: text.length });
}

function fill(template: string, variables: string): Rendering {
  return render(compile(json(template)), Variables.parse(json(variables)));
}

function payload(template: string, variables: string): string {
  return fill(template, variables).payload;
}

describe('rendering a payload template', () => {
  it('fills holes in values, array elements and keys at any depth, several to a string', () => {
    expect(
      payload(
        '{"title":"Order {{id}} by {{carrier}}","data":{"ids":["{{id}}",["x{{id}}x"]],"{{carrier}}":{"{{id}}":"{{id}}{{id}}"}}}',
        '{"id":"ORD-1","carrier":"黑貓"}',
      ),
    ).toBe('{"title":"Order ORD-1 by 黑貓","data":{"ids":["ORD-1",["xORD-1x"]],"黑貓":{"ORD-1":"ORD-1ORD-1"}}}');
    expect(payload('"{{whole}}"', '{"whole":"payload"}')).toBe('"payload"');
  });

  it.each([
    ['a string', '"a \\"quoted\\" \\\\ text\\n"', '"v=a \\"quoted\\" \\\\ text\\n"'],
    ['an integer', '5', '"v=5"'],
    ['an integer beyond 2^53', '9007199254740993', '"v=9007199254740993"'],
    ['a decimal as it is written', '1.0', '"v=1.0"'],
    ['a boolean', 'true', '"v=true"'],
    ['another boolean', 'false', '"v=false"'],
    ['null', 'null', '"v="'],
    ['an array', '[1, "a", null]', '"v=[1,\\"a\\",null]"'],
    ['an object', '{"b": 9007199254740993, "a": {"c": []}}', '"v={\\"b\\":9007199254740993,\\"a\\":{\\"c\\":[]}}"'],
    [
      'an object in PHP spelling',
      '{"a":"\\u8a02\\u55ae \\ud83d\\ude00 a\\/b \\u0000"}',
      '"v={\\"a\\":\\"訂單 😀 a/b \\\\u0000\\"}"',
    ],
  ])('writes %s into the string around it', (_, value, expected) => {
    expect(payload('"v={{v}}"', `{"v":${value}}`)).toBe(expected);
  });

  it('leaves a placeholder without a variable as it stands, and says so', () => {
    const rendering = fill('{"{{a}}":"{{b}} {{c}} {{b}}","d":"{{ e }}"}', '{"c":1,"e":2,"f":{"g":3}}');
    expect(rendering).toEqual({
      payload: '{"{{a}}":"{{b}} 1 {{b}}","d":"{{ e }}"}',
      missing: ['a', 'b', ' e '],
      unused: ['e', 'f'],
    });
  });

  it('takes the literal name first, then the path, through objects and arrays', () => {
    const variables = '{"a.b":"literal","a":{"b":"path","c":[{"d":1},[2,3]],"":{"":4}},"n":null,"s":"text"}';
    expect(payload('"{{a.b}}|{{a.c.0.d}}|{{a.c.1.1}}|{{a..}}|{{n}}"', variables)).toBe('"literal|1|3|4|"');
    const unresolved =
      '"{{a.x}} {{a.c.2}} {{a.c.01}} {{a.c.-1}} {{a.c.length}} {{n.x}} {{s.0}} {{s.length}} {{.a}} {{a.b.c}}"';
    expect(payload(unresolved, variables)).toBe(unresolved);
    expect(fill('"{{a.c.0}} {{a.b}}"', variables).unused).toEqual(['n', 's']);
  });

  it('reads every value once: what looks like a placeholder in a value is data', () => {
    expect(payload('["{{a}}","{{b}}","{{{c}}}"]', '{"a":"{{b}}","b":"{{a}}","c":"{a}"}')).toBe(
      '["{{b}}","{{a}}","{{a}}"]',
    );
    expect(payload('"{{a}}{{b}}"', '{"a":"{{","b":"c}}","c":"no"}')).toBe('"{{c}}"');
  });

  it.each(['{{ }', '{{}}', '{a}', '{{a}', '{{a b', '}}a{{', '{{{{', '{{a{b}}'])(
    'knows no placeholder in %j',
    (text) => {
      const template = JSON.stringify({ text });
      expect(fill(template, '{"a":1,"a b":2,"":3}')).toMatchObject({ payload: template, missing: [] });
    },
  );

  it('keeps the rest to the letter: numbers, order, repeated keys, escapes where nothing is filled', () => {
    const untouched = '{"z":1.0,"big":12345678901234567890,"z":1e400,"s":"\\u0041\\/"}';
    expect(payload(untouched, '{}')).toBe(untouched);
    expect(payload('{"z":1.0,"big":12345678901234567890,"{{k}}":-0,"a":null}', '{"k":"z"}')).toBe(
      '{"z":1.0,"big":12345678901234567890,"z":-0,"a":null}',
    );
  });

  it('sees placeholders and names through escapes, and no placeholder behind an escaped backslash', () => {
    expect(payload('"\\u007b\\u007B\\u8a02\\u007d} {{\\u8a02}}"', '{"訂":1}')).toBe('"1 1"');
    expect(payload('"{{訂}} {{\\ud83d\\ude00}}"', '{"\\u8a02":1,"😀":2}')).toBe('"1 2"');
    expect(payload('"{{a\\\\b\\n}}"', '{"a\\\\b\\n":1}')).toBe('"1"');
    expect(payload('"\\\\{{a}}\\\\u007b{{a}}"', '{"a":1}')).toBe('"\\\\1\\\\u007b1"');
  });

  it.each([
    '__proto__',
    'constructor',
    'prototype',
    'toString',
    'hasOwnProperty',
    '__proto__.polluted',
    'constructor.name',
  ])('reaches nothing through %s unless the request brings it', (name) => {
    const template = JSON.stringify({ v: `{{${name}}} {{a.${name}}}` });
    expect(payload(template, '{"a":{}}')).toBe(template);
    expect(payload(template, `{"${name}":"own","a":{"x":1}}`)).toBe(JSON.stringify({ v: `own {{a.${name}}}` }));
  });

  it('follows an own member named __proto__ like any other, also in the template', () => {
    expect(payload('{"__proto__":{"x":"{{__proto__.a}}"}}', '{"__proto__":{"a":"own"}}')).toBe(
      '{"__proto__":{"x":"own"}}',
    );
    expect(({} as { a?: unknown }).a).toBeUndefined();
  });

  it('takes the last of a variable that is given twice', () => {
    expect(payload('"{{a}}"', '{"a":1,"a":2}')).toBe('"2"');
  });
});

describe('variables of a request', () => {
  it('may be absent, null, or what PHP makes of an empty array', () => {
    for (const none of [undefined, json('null'), json('[ ]'), json('{ }')]) {
      expect(Variables.parse(none).names()).toEqual([]);
    }
  });

  it.each(['[1]', '"a"', '5', 'true'])('must be an object: %s is not', (variables) => {
    expect(() => Variables.parse(json(variables))).toThrow(
      new AraError('VALIDATION_ERROR', 'Variable substitution failed: Variables must be an object'),
    );
  });
});

describe('the size of a rendering', () => {
  const unit = '訂'; // 3 bytes
  const atLimit = (MAX_RENDERED_BYTES - 4) / 3;

  it('may reach its limit in bytes and not exceed it', () => {
    const variables = JSON.stringify({ v: unit.repeat(atLimit / 2) });
    expect(Buffer.byteLength(payload('["{{v}}{{v}}"]', variables))).toBe(MAX_RENDERED_BYTES);
    expect(() => payload('["{{v}}{{v}}",1]', variables)).toThrow(/^Variable substitution failed: .* 1048576 bytes$/);
  });

  it('counts what stays unfilled, and a template without a hole', () => {
    const padding = 'x'.repeat(MAX_RENDERED_BYTES - 7);
    expect(payload(`"${padding}{{a}}"`, '{}')).toHaveLength(MAX_RENDERED_BYTES);
    expect(() => payload(`"${padding}{{ab}}"`, '{}')).toThrow(AraError);
    expect(() => payload(`"${'x'.repeat(MAX_RENDERED_BYTES)}"`, '{}')).toThrow(AraError);
  });

  it('refuses what would become gigabytes before it builds it', () => {
    const template = compile(toRawJson('{{a}}'.repeat(200_000)));
    const variables = Variables.parse(toRawJson({ a: 'x'.repeat(60_000) }));
    const before = process.memoryUsage().heapUsed;
    expect(() => render(template, variables)).toThrow(AraError);
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(16 * 1024 * 1024);
  });

  it('reads many paths into one large container without starting over each time', () => {
    const names = Array.from({ length: 10_000 }, (_, index) => `{{a.${index}}}`).join('');
    const variables = toRawJson({ a: Array.from({ length: 10_000 }, (_, index) => index) });
    const started = performance.now();
    expect(render(compile(toRawJson(names)), Variables.parse(variables)).missing).toEqual([]);
    expect(performance.now() - started).toBeLessThan(2_000);
  });
});

/** The rule book once more, over parsed values, character by character, with nothing taken from the code under test. */
function model(node: unknown, variables: unknown): unknown {
  if (typeof node === 'string') return modelText(node, variables);
  if (Array.isArray(node)) return node.map((item: unknown) => model(item, variables));
  if (typeof node !== 'object' || node === null) return node;
  return Object.fromEntries(
    Object.entries(node).map(([key, value]) => [modelText(key, variables), model(value, variables)]),
  );
}

function modelText(text: string, variables: unknown): string {
  let out = '';
  let at = 0;
  while (at < text.length) {
    const end = text.startsWith('{{', at) ? nameEnd(text, at + 2) : at;
    const value = end > at + 2 ? modelLookup(variables, text.slice(at + 2, end)) : undefined;
    if (value === undefined) out += text.charAt(at++);
    else {
      out += typeof value === 'string' ? value : value === null ? '' : JSON.stringify(value);
      at = end + 2;
    }
  }
  return out;
}

/** Where `}}` follows on a name that begins at `at`; -1 if none does. */
function nameEnd(text: string, at: number): number {
  let end = at;
  while (end < text.length && !'{}"'.includes(text.charAt(end))) end++;
  return text.startsWith('}}', end) ? end : -1;
}

function modelLookup(variables: unknown, name: string): unknown {
  if (Object.hasOwn(variables as object, name)) return (variables as Record<string, unknown>)[name];
  let at: unknown = variables;
  for (const step of name.split('.')) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, step)) return undefined;
    if (Array.isArray(at) && !/^\d+$/.test(step)) return undefined;
    at = (at as Record<string, unknown>)[step];
  }
  return at;
}

describe('rendering, against a model', () => {
  const hostile = [
    '__proto__',
    'constructor',
    'prototype',
    'length',
    'toString',
    '0',
    '1',
    '00',
    '',
    ' a ',
    'é',
    '訂',
    '\ud800',
    '\\',
    '\n',
  ];
  const step = fc.constantFrom('a', 'b', 'c', ...hostile);
  const name = fc.array(step, { minLength: 1, maxLength: 3 }).map((steps) => steps.join('.'));
  const piece = fc.oneof(
    { weight: 6, arbitrary: name.map((inner) => `{{${inner}}}`) },
    { weight: 2, arbitrary: fc.constantFrom('{', '}', '{{', '}}', '"', '\\', '{{a"b}}', '\\u007b', '😀') },
    { weight: 2, arbitrary: fc.string({ unit: 'binary', maxLength: 5 }) },
  );
  const text = fc.array(piece, { maxLength: 6 }).map((pieces) => pieces.join(''));
  const scalar = fc.oneof(
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.maxSafeInteger(),
    fc.boolean(),
    fc.constant(null),
  );

  function tree(key: fc.Arbitrary<string>): { node: fc.Arbitrary<unknown>; object: fc.Arbitrary<object> } {
    return fc.letrec<{ node: unknown; object: object }>((tie) => ({
      node: fc.oneof({ maxDepth: 4 }, scalar, text, fc.array(tie('node'), { maxLength: 4 }), tie('object')),
      object: fc.array(fc.tuple(key, tie('node')), { maxLength: 4 }).map((entries) => Object.fromEntries(entries)),
    }));
  }

  const variables = fc
    .array(fc.tuple(fc.oneof(step, name), tree(step).node), { minLength: 3, maxLength: 10 })
    .map((entries) => JSON.stringify(Object.fromEntries(entries)));

  const CASES = repeats(10_000);

  it(`is the same on ${CASES} cases`, () => {
    let filled = 0;
    fc.assert(
      fc.property(fc.oneof(text, tree(text).object), variables, fc.boolean(), (template, given, escaped) => {
        const source = escaped ? escapeAll(JSON.stringify(template)) : JSON.stringify(template);
        const rendered = render(compile(trustedRawJson(source)), Variables.parse(trustedRawJson(given)));
        const expected = JSON.stringify(model(JSON.parse(source), JSON.parse(given)));
        expect(JSON.stringify(JSON.parse(rendered.payload))).toBe(expected);
        expect(rendered.payload).not.toMatch(/[\r\n]/);
        if (expected !== JSON.stringify(template)) filled++;
      }),
      { numRuns: CASES },
    );
    expect(filled).toBeGreaterThan(CASES / 5);
  });

  /** Every character of every string as an escape, as an overzealous encoder would send it. */
  function escapeAll(source: string): string {
    return source.replace(/"(?:[^"\\]|\\.)*"/g, (literal) => {
      const text = JSON.parse(literal) as string;
      const units = Array.from({ length: text.length }, (_, index) => text.charCodeAt(index));
      return `"${units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('')}"`;
    });
  }
});
