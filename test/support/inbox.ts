/** What has arrived and nobody has asked for yet, in order; and those who wait for what has not arrived. */
export class Inbox<T> {
  readonly #waiting: { matches: (item: T) => boolean; resolve: (item: T) => void; reject: (error: Error) => void }[] =
    [];
  #unread: T[] = [];
  #end: Error | undefined;
  /** Everything that ever arrived. */
  readonly all: T[] = [];

  push(item: T): void {
    this.all.push(item);
    const index = this.#waiting.findIndex(({ matches }) => matches(item));
    if (index === -1) this.#unread.push(item);
    else this.#waiting.splice(index, 1)[0]!.resolve(item);
  }

  /** Nothing will come any more: whoever waits, or asks later for what is not here, fails with this reason. */
  end(reason: string): void {
    this.#end ??= new Error(reason);
    for (const { reject } of this.#waiting.splice(0)) reject(this.#end);
  }

  /** Takes the first item that matches, the present ones first. Fails after `timeoutMs`, and says what came instead. */
  next(matches: (item: T) => boolean = () => true, timeoutMs = 5_000): Promise<T> {
    const index = this.#unread.findIndex(matches);
    if (index !== -1) return Promise.resolve(this.#unread.splice(index, 1)[0]!);
    if (this.#end !== undefined) return Promise.reject(this.#end);
    return new Promise((resolve, reject) => {
      const settle = <V>(how: (value: V) => void): ((value: V) => void) => {
        return (value) => {
          clearTimeout(timer);
          how(value);
        };
      };
      const entry = { matches, resolve: settle(resolve), reject: settle(reject) };
      const timer = setTimeout(() => {
        this.#waiting.splice(this.#waiting.indexOf(entry), 1);
        reject(new Error(`nothing matched within ${timeoutMs} ms; unread: ${preview(this.#unread)}`));
      }, timeoutMs);
      this.#waiting.push(entry);
    });
  }

  /** Takes all that nobody has asked for. */
  drain(): T[] {
    const unread = this.#unread;
    this.#unread = [];
    return unread;
  }
}

function preview(items: readonly unknown[]): string {
  const text = JSON.stringify(items.slice(-5));
  return `${items.length} ${text.length > 1_000 ? `${text.slice(0, 1_000)}…` : text}`;
}
