import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Files under `test/protocol/golden/` that hold, byte for byte, what Ara sends. A change of the protocol is seen in them,
 * in review, before a client sees it. `UPDATE_GOLDEN=1 npx jest test/protocol` writes them anew.
 */
export class GoldenFolder {
  readonly #folder: string;
  readonly #claimed = new Set<string>();
  readonly #update = process.env['UPDATE_GOLDEN'] === '1';

  constructor(name: string) {
    this.#folder = join(__dirname, 'golden', name);
    mkdirSync(this.#folder, { recursive: true });
  }

  /** The bytes of a file that somebody wrote: an input. */
  read(file: string): string {
    this.#claimed.add(file);
    return readFileSync(join(this.#folder, file), 'utf8');
  }

  /** Inputs, by the end of their names. */
  list(suffix: string): string[] {
    return readdirSync(this.#folder).filter((file) => file.endsWith(suffix));
  }

  /** Fails unless the file holds exactly `actual`. */
  expect(file: string, actual: string): void {
    const path = join(this.#folder, file);
    if (this.#claimed.has(file)) throw new Error(`${path} is claimed twice`);
    this.#claimed.add(file);
    if (this.#update) writeFileSync(path, actual);
    expect(existsSync(path) ? readFileSync(path, 'utf8') : `no such file: ${path}`).toBe(actual);
  }

  /** Fails if a file is left that no test compared: what it shows is no longer true. Call it after all others. */
  expectNoOthers(): void {
    const left = readdirSync(this.#folder).filter((file) => !this.#claimed.has(file));
    if (this.#update) for (const file of left.splice(0)) rmSync(join(this.#folder, file));
    expect(left).toEqual([]);
  }
}
