import type { RawJson } from '../protocol/raw-json';
import { compile, type CompiledPayload } from './render';

/** Characters of template text, or what weighs as much, that may stay compiled. */
const MAX_WEIGHT = 8 * 1024 * 1024;

/** What a hole costs beside its text: two references and a slice. */
const HOLE_WEIGHT = 64;

/**
 * Keeps what was compiled lately. Its key is the template's own text, so a change of the template needs no invalidation,
 * on this node or another, and tenants share nothing but the work.
 */
export class CompilationCache {
  readonly #compiled = new Map<RawJson, CompiledPayload>();
  readonly #maxWeight: number;
  #weight = 0;

  constructor(maxWeight: number = MAX_WEIGHT) {
    this.#maxWeight = maxWeight;
  }

  get size(): number {
    return this.#compiled.size;
  }

  get(template: RawJson): CompiledPayload {
    const known = this.#compiled.get(template);
    // A map iterates in order of insertion: putting back what was used makes the first the one unused longest.
    if (known !== undefined) this.#compiled.delete(template);
    const compiled = known ?? compile(template);
    this.#compiled.set(template, compiled);
    if (known === undefined) this.#admit(compiled);
    return compiled;
  }

  #admit(compiled: CompiledPayload): void {
    this.#weight += weightOf(compiled);
    for (const [template, oldest] of this.#compiled) {
      if (this.#weight <= this.#maxWeight) return;
      this.#compiled.delete(template);
      this.#weight -= weightOf(oldest);
    }
  }
}

function weightOf({ template, holes }: CompiledPayload): number {
  return template.length + holes.length * HOLE_WEIGHT;
}
