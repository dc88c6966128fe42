/** Client messages that wait for an earlier one before the socket is not read any further. */
const MAX_WAITING = 32;

/**
 * Handles one client's messages strictly one after the other, also when one of them takes a while; meanwhile at most
 * some wait, then the client's socket is paused.
 */
export class Inbox {
  #waiting: string[] = [];
  #isBusy = false;
  #isPaused = false;

  constructor(
    private readonly handle: (text: string) => Promise<void> | undefined,
    private readonly socket: { pause(): void; resume(): void },
  ) {}

  /** Never throws. */
  take(text: string): void {
    if (this.#isBusy) {
      this.#waiting.push(text);
      if (this.#waiting.length >= MAX_WAITING && !this.#isPaused) {
        this.#isPaused = true;
        this.socket.pause();
      }
      return;
    }
    const pending = this.handle(text);
    if (pending === undefined) return;
    this.#isBusy = true;
    void pending.finally(() => {
      this.#isBusy = false;
      this.next();
    });
  }

  private next(): void {
    while (!this.#isBusy) {
      const text = this.#waiting.shift();
      if (text === undefined) break;
      this.take(text);
    }
    if (this.#isPaused && this.#waiting.length === 0) {
      this.#isPaused = false;
      this.socket.resume();
    }
  }
}
