import { spawnSync } from 'node:child_process';

/** Private addresses (RFC 1918) that hardly anybody uses. */
const NET = '10.213';
const EXIT_HINT = 'A partition needs root, and `ip netns` of iproute2';

let made = 0;
const open = new Set<Network>();
process.on('exit', () => {
  for (const network of open) network.close();
});

/**
 * A network namespace with two links to this one: `clients` leads to whoever is inside, `redis` leads out to Redis and
 * can be cut. A cut link drops what is sent, and tells nobody.
 */
export class Network {
  readonly #name = `ara-${process.pid}-${++made}`;
  /** In names of links, which are at most 15 characters long. */
  readonly #tag = `${process.pid % 100_000}x${made}`;
  readonly #octet = 2 * ((process.pid + made) % 120);

  private constructor() {}

  /** Throws an Error that is meant for the operator. */
  static create(): Network {
    const network = new Network();
    open.add(network);
    try {
      network.#make();
    } catch (error) {
      network.close();
      throw new Error(`${EXIT_HINT}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
    }
    return network;
  }

  /** Runs a command inside. */
  get prefix(): readonly string[] {
    return ['ip', 'netns', 'exec', this.#name];
  }

  /** Where those inside are reached. */
  get inside(): string {
    return `${NET}.${this.#octet}.2`;
  }

  /** Where those inside reach what is here, whatever is cut. */
  get outside(): string {
    return `${NET}.${this.#octet}.1`;
  }

  /** Where those inside reach Redis, which has to listen there. */
  get redis(): string {
    return `${NET}.${this.#octet + 1}.1`;
  }

  cut(): void {
    ip('link', 'set', `arr${this.#tag}`, 'down');
  }

  heal(): void {
    ip('link', 'set', `arr${this.#tag}`, 'up');
  }

  /** Ends nothing that runs inside. */
  close(): void {
    open.delete(this);
    for (const link of ['arc', 'arr']) spawnSync('ip', ['link', 'del', `${link}${this.#tag}`]);
    spawnSync('ip', ['netns', 'del', this.#name]);
  }

  #make(): void {
    ip('netns', 'add', this.#name);
    ip('-n', this.#name, 'link', 'set', 'lo', 'up');
    for (const [name, octet] of [
      ['arc', this.#octet],
      ['arr', this.#octet + 1],
    ] as const) {
      const here = `${name}${this.#tag}`;
      ip('link', 'add', here, 'type', 'veth', 'peer', 'name', name, 'netns', this.#name);
      ip('addr', 'add', `${NET}.${octet}.1/24`, 'dev', here);
      ip('-n', this.#name, 'addr', 'add', `${NET}.${octet}.2/24`, 'dev', name);
      ip('-n', this.#name, 'link', 'set', name, 'up');
      ip('link', 'set', here, 'up');
    }
  }
}

function ip(...args: readonly string[]): void {
  const { status, stderr, error } = spawnSync('ip', [...args], { encoding: 'utf8' });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`ip ${args.join(' ')}: ${stderr.trim()}`);
}
