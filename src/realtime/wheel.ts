const GOLDEN_RATIO = (Math.sqrt(5) - 1) / 2;

/**
 * Spreads members evenly over a period: each is due once per turn, at a phase of its own. Adding and removing are O(1), a
 * turn costs its own members.
 */
export class Wheel<T> {
  readonly #slots: Set<T>[];
  readonly #slotOf = new Map<T, Set<T>>();
  /** From 0 up to, not including, 1. */
  #phase = 0;
  #hand = 0;

  constructor(slots: number) {
    this.#slots = Array.from({ length: Math.max(1, slots) }, () => new Set<T>());
  }

  add(member: T): void {
    // Steps of the golden ratio fall evenly, whatever the number of slots and of members.
    this.#phase = (this.#phase + GOLDEN_RATIO) % 1;
    const slot = this.#slots[Math.floor(this.#phase * this.#slots.length)];
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
