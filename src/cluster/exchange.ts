/** One message to other nodes and the replies to it. Every copy of the message is accounted for by one reply. */
export class Exchange {
  readonly answers: unknown[] = [];
  /** Copies that came back to this node: it hears its own topics. */
  ownCopies = 0;
  #copies = 0;
  #expected = Number.POSITIVE_INFINITY;
  #finish: (() => void) | undefined;

  /** So many copies were handed out. */
  expect(copies: number): void {
    this.#expected = copies;
    this.settle();
  }

  ownCopy(): void {
    this.ownCopies++;
    this.account(1);
  }

  reply(copies: number, answer: unknown): void {
    this.answers.push(answer);
    this.account(copies);
  }

  /** True when all have replied, false when the time was over before. */
  async done(waitMs: number): Promise<boolean> {
    if (this.#copies < this.#expected) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, waitMs);
        this.#finish = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    return this.#copies >= this.#expected;
  }

  private account(copies: number): void {
    this.#copies += copies;
    this.settle();
  }

  private settle(): void {
    if (this.#copies >= this.#expected) this.#finish?.();
  }
}
