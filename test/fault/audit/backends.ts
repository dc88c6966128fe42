import type { Env } from '../../support/ara-process';
import { Network } from './network';
import type { AuditOptions } from './options';
import type { Random } from './random';
import { SlowProxy } from './slow-proxy';
import { type AuditStore, startBus, startStore } from './stores';

const SLOW_MS = [1, 25] as const;

/** What the nodes stand on: their store, the Redis between them, and what may lie between both and a node. */
export class Backends {
  private constructor(
    private readonly nodes: number,
    readonly store: AuditStore,
    /** What carries messages between nodes, when that is not the store. */
    private readonly bus: AuditStore | undefined,
    /** In which the last node lives, when it is to be cut off from Redis. */
    readonly network: Network | undefined,
    /** Before the store: of every node; or, for the node in the network, the way to a store that is not to be cut off. */
    readonly proxy: SlowProxy | undefined,
  ) {}

  static async start(options: AuditOptions, random: Random): Promise<Backends> {
    const network = options.fault === 'partition' ? Network.create() : undefined;
    const hosts = network === undefined ? [] : [network.redis];
    const [store, bus] = await Promise.all([startStore(options, hosts), startBus(options, hosts)]);
    const { port } = store;
    const isSlow = options.fault === 'slow-store';
    const isBridged = network !== undefined && bus !== undefined;
    let proxy: SlowProxy | undefined;
    if (port !== undefined && isSlow) proxy = await SlowProxy.to(port, () => random.between(...SLOW_MS));
    if (port !== undefined && isBridged) proxy = await SlowProxy.to(port, () => 0, network.outside);
    return new Backends(options.nodes, store, bus, network, proxy);
  }

  /** The one that nodes speak over. */
  get redis(): AuditStore {
    return this.bus ?? this.store;
  }

  envOf(number: number): Env {
    const { store, bus, network, proxy } = this;
    if (network === undefined) return { ...store.env(proxy?.port), ...bus?.env() };
    if (!this.#isInside(number)) return { ...store.env(), ...bus?.env() };
    const { inside: SERVER_HOST, outside, redis } = network;
    if (bus === undefined) return { ...store.env(undefined, redis), SERVER_HOST };
    return { ...store.env(proxy?.port, outside), ...bus.env(undefined, redis), SERVER_HOST };
  }

  /** What runs the node's process. */
  prefixOf(number: number): readonly string[] {
    return this.#isInside(number) ? (this.network?.prefix ?? []) : [];
  }

  async close(): Promise<void> {
    this.proxy?.close();
    await Promise.all([this.store.close(), this.bus?.close()]);
    this.network?.close();
  }

  #isInside(number: number): boolean {
    return this.network !== undefined && number === this.nodes - 1;
  }
}
