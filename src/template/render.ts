import { AraError } from '../notification/ara-error';
import { trustedRawJson, type RawJson } from '../protocol/raw-json';
import { textOf, withPlainEscapes } from './json-string';
import type { Variables } from './variables';

/** The longest payload that a template may become. A request is bounded by its body; a template multiplies what is in it. */
export const MAX_RENDERED_BYTES = 1024 * 1024;

/**
 * In valid JSON `{{` stands only inside a string, key or value, and a name without a quote cannot lead out of it: the text
 * itself is the parse tree. Hence a name is any text without braces and double quotes, taken exactly, blanks included.
 */
const PLACEHOLDER = /\{\{([^{}"]+)\}\}/g;

interface Placeholder {
  readonly name: string;
  /** How the template spells it: what stays when there is no such variable. */
  readonly source: string;
  occurrences: number;
}

/** A payload template, read once. */
export interface CompiledPayload {
  readonly template: RawJson;
  /** The text around the holes: one more than there are holes. */
  readonly literals: readonly string[];
  /** Per hole the index of its placeholder. */
  readonly holes: readonly number[];
  /** Each name once, in order of appearance. */
  readonly placeholders: readonly Readonly<Placeholder>[];
  readonly literalBytes: number;
}

export interface Rendering {
  readonly payload: RawJson;
  /** Names of placeholders that no variable fills, in order of appearance. */
  readonly missing: readonly string[];
  /** Names of variables that fill nothing. */
  readonly unused: readonly string[];
}

/** Finds the placeholders in keys and values at any depth. O(length). */
export function compile(template: RawJson): CompiledPayload {
  const text = withPlainEscapes(template);
  const literals: string[] = [];
  const holes: number[] = [];
  const placeholders = new Map<string, Placeholder & { readonly index: number }>();
  let from = 0;
  for (const match of text.matchAll(PLACEHOLDER)) {
    const [source, spelling = ''] = match;
    const name = textOf(spelling);
    const placeholder = placeholders.get(name) ?? { name, source, occurrences: 0, index: placeholders.size };
    placeholder.occurrences++;
    placeholders.set(name, placeholder);
    literals.push(text.slice(from, match.index));
    holes.push(placeholder.index);
    from = match.index + source.length;
  }
  literals.push(text.slice(from));
  const literalBytes = literals.reduce((sum, literal) => sum + Buffer.byteLength(literal), 0);
  return { template, literals, holes, placeholders: [...placeholders.values()], literalBytes };
}

/**
 * Puts the variables into their holes, once: what looks like a placeholder in a value is data. Everything else of the
 * template stays as it was written. Keys that become equal stay side by side, so that a reader keeps the last of them.
 * Throws AraError VALIDATION_ERROR when the result would exceed MAX_RENDERED_BYTES, before any of it is built.
 */
export function render(compiled: CompiledPayload, variables: Variables): Rendering {
  const fillings: string[] = [];
  const missing: string[] = [];
  const used = new Set<string>();
  let bytes = compiled.literalBytes;
  for (const { name, source, occurrences } of compiled.placeholders) {
    const filling = variables.fill(name);
    if (filling === undefined) missing.push(name);
    else used.add(filling.variable);
    const contents = filling?.contents ?? source;
    fillings.push(contents);
    bytes += occurrences * Buffer.byteLength(contents);
    // Asked in every round, so that a long list of large values is not worked through in vain.
    if (bytes > MAX_RENDERED_BYTES) break;
  }
  if (bytes > MAX_RENDERED_BYTES) {
    throw new AraError(
      'VALIDATION_ERROR',
      `Variable substitution failed: The payload exceeds ${MAX_RENDERED_BYTES} bytes`,
    );
  }
  const unused = variables.names().filter((name) => !used.has(name));
  return { payload: fillHoles(compiled, fillings), missing, unused };
}

function fillHoles({ template, literals, holes }: CompiledPayload, fillings: readonly string[]): RawJson {
  if (holes.length === 0) return template;
  let text = '';
  for (const [index, hole] of holes.entries()) text += `${literals[index] ?? ''}${fillings[hole] ?? ''}`;
  return trustedRawJson(text + (literals.at(-1) ?? ''));
}
