export interface Expiring {
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

/** Finds what expires first: a binary heap. Add and remove cost O(log n), a look at the first O(1). */
export class ExpiryHeap<T extends Expiring> {
  readonly #items: T[] = [];

  get first(): T | undefined {
    return this.#items[0];
  }

  add(item: T): void {
    const items = this.#items;
    let at = items.push(item) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (this.#time(parent) <= item.expiresAt) break;
      this.#move(parent, at);
      at = parent;
    }
    items[at] = item;
  }

  removeFirst(): void {
    const items = this.#items;
    const last = items.pop();
    if (last === undefined || items.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (this.#time(child + 1) < this.#time(child)) child++;
      if (this.#time(child) >= last.expiresAt) break;
      this.#move(child, at);
      at = child;
    }
    items[at] = last;
  }

  #time(at: number): number {
    return this.#items[at]?.expiresAt ?? Infinity;
  }

  #move(from: number, to: number): void {
    const item = this.#items[from];
    if (item !== undefined) this.#items[to] = item;
  }
}
