import { AraError } from '../notification/ara-error';
import { elements, members, type RawJson, type Span } from '../protocol/raw-json';
import { stringContents, withPlainEscapes } from './json-string';

/** A variable that was found. */
export interface Filling {
  /** What replaces the placeholder, as contents of a JSON string. */
  readonly contents: string;
  /** The variable that it comes from: the whole name, or the first part of a path. */
  readonly variable: string;
}

/**
 * The values that one request brings for a template, read from its JSON text and never turned into objects: numbers keep
 * all their digits, and there is no prototype that a name such as `__proto__` or `constructor` could reach.
 */
export class Variables {
  readonly #json: string;
  /** Children by name, per container, made when a path first enters it: many paths into one object read it once. */
  readonly #children = new Map<number, ReadonlyMap<string, Span>>();

  private constructor(json: string) {
    this.#json = json;
  }

  /**
   * Absent, `null` and `[]`, which is how PHP spells an empty object, stand for none. Of a repeated name the last counts.
   * Throws AraError VALIDATION_ERROR for anything else that is not an object.
   */
  static parse(json: RawJson | undefined): Variables {
    if (json === undefined || json === 'null' || json === '[]') return new Variables('{}');
    if (!json.startsWith('{')) {
      throw new AraError('VALIDATION_ERROR', 'Variable substitution failed: Variables must be an object');
    }
    return new Variables(json);
  }

  names(): string[] {
    return [...this.#childrenOf(0).keys()];
  }

  /**
   * The variable of exactly this name, else what the name leads to as a path of members and array indexes (`order.items.0`).
   * Strings as they are, numbers and booleans as they are written, null as nothing, arrays and objects as compact JSON.
   */
  fill(name: string): Filling | undefined {
    const own = this.#childrenOf(0).get(name);
    if (own !== undefined) return { contents: this.#contents(own), variable: name };
    const path = name.split('.');
    const found = this.#follow(path);
    return found && { contents: this.#contents(found), variable: path[0] ?? name };
  }

  #follow(path: readonly string[]): Span | undefined {
    let at: Span | undefined = { start: 0, end: this.#json.length };
    for (const step of path) {
      at = this.#childrenOf(at.start).get(step);
      if (at === undefined) return undefined;
    }
    return at;
  }

  #childrenOf(start: number): ReadonlyMap<string, Span> {
    let children = this.#children.get(start);
    if (children === undefined) {
      children = new Map([
        ...members(this.#json, start).map((member) => [member.key, member] as const),
        ...elements(this.#json, start).map((element, index) => [String(index), element] as const),
      ]);
      this.#children.set(start, children);
    }
    return children;
  }

  #contents({ start, end }: Span): string {
    const value = this.#json.slice(start, end);
    switch (value[0]) {
      case '"':
        return value.slice(1, -1);
      case 'n':
        return '';
      case '{':
      case '[':
        return stringContents(withPlainEscapes(value));
      default:
        return value;
    }
  }
}
