/** An array without holes that adds and removes in O(1): the last element takes the place of a removed one. */
export class DenseList<T> {
  readonly #items: T[] = [];

  /** For iteration only; valid until the next add or remove. */
  get items(): readonly T[] {
    return this.#items;
  }

  get size(): number {
    return this.#items.length;
  }

  /** The slot under which the item can be removed. */
  add(item: T): number {
    return this.#items.push(item) - 1;
  }

  /** Removes the item at `slot`; gives back the item that moved there, if one did, for its owner to note. */
  removeAt(slot: number): T | undefined {
    const last = this.#items.pop();
    if (last === undefined || slot === this.#items.length) return undefined;
    this.#items[slot] = last;
    return last;
  }
}
