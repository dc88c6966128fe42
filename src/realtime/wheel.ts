/** Spreads members evenly over a period: each is due once per turn, at a phase of its own. */
export class Wheel<T> {
  readonly #slots: Set<T>[];
  readonly #slotOf = new Map<T, Set<T>>();
  #next = 0;
  #hand = 0;

  constructor(slots: number) {
    this.#slots = Array.from({ length: Math.max(1, slots) }, () => new Set<T>());
  }

  add(member: T): void {
    // A step coprime to most sizes lays neighbours in time far apart on the wheel.
    this.#next = (this.#next + 7) % this.#slots.length;
    const slot = this.#slots[this.#next];
    if (slot === undefined) return;
    slot.add(member);
    this.#slotOf.set(member, slot);
  }

  delete(member: T): void {
    this.#slotOf.get(member)?.delete(member);
    this.#slotOf.delete(member);
  }

  /** Moves on by one slot and gives its members. */
  turn(): Iterable<T> {
    this.#hand = (this.#hand + 1) % this.#slots.length;
    return this.#slots[this.#hand] ?? [];
  }
}
