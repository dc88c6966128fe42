/** How connections that a node closed were told, and how those who came back spread over time. */
export class Herd {
  /** Closed for the end of their node, after they had been told; and without it. */
  told = 0;
  untold = 0;
  /** Ended without a word. */
  cut = 0;
  readonly #returns: number[] = [];

  /** A device is connected again; `at` in ms. */
  returned(at: number): void {
    this.#returns.push(at);
  }

  /** The most that came back within any one second. */
  get maxReturnsPerSecond(): number {
    const times = [...this.#returns].sort((a, b) => a - b);
    let most = 0;
    let from = 0;
    times.forEach((at, index) => {
      while (at - (times[from] ?? at) >= 1000) from++;
      most = Math.max(most, index - from + 1);
    });
    return most;
  }
}
