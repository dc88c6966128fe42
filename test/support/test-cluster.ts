import { AraProcess, type Env } from './ara-process';
import { type RedisServer, startRedis } from './redis-server';
import type { WsClient, WsFrame } from './ws-client';

export const TEST_CLUSTER_SECRET = 'a secret of the test cluster';

/** Three real nodes that act as one, over a real Redis. */
export class TestCluster {
  private constructor(
    readonly redis: RedisServer,
    readonly nodes: AraProcess[],
    private readonly env: Env,
  ) {}

  static async start(env: Env = {}, redis?: RedisServer): Promise<TestCluster> {
    const server = redis ?? (await startRedis());
    const cluster = new TestCluster(server, [], {
      REDIS_URL: server.url,
      CLUSTER_ENABLED: 'true',
      CLUSTER_SECRET: TEST_CLUSTER_SECRET,
      // The machine is busy: what is measured here is whether replies come, not how fast.
      CLUSTER_DELIVERY_WAIT_MS: '2000',
      ...env,
    });
    await Promise.all([1, 2, 3].map((number) => cluster.add(`node-${number}`)));
    cluster.nodes.sort((a, b) => (a.env['CLUSTER_NODE_ID']! < b.env['CLUSTER_NODE_ID']! ? -1 : 1));
    return cluster;
  }

  async add(name: string, env: Env = {}): Promise<AraProcess> {
    const node = await AraProcess.start({ ...this.env, CLUSTER_NODE_ID: name, ...env });
    this.nodes.push(node);
    return node;
  }

  node(index: number): AraProcess {
    return this.nodes[index]!;
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.filter((node) => !node.hasExited).map((node) => node.stop()));
    await this.redis.close();
  }
}

export function notificationsOf(frames: readonly WsFrame[]): readonly WsFrame[] {
  return frames.filter(({ type }) => type === 'notification');
}

/** How many notifications each has got by now that nobody looked at. */
export async function counted(clients: readonly WsClient[]): Promise<number[]> {
  return Promise.all(clients.map(async (client) => notificationsOf(await client.settled()).length));
}

export const CONTENT = { event_type: 'e', payload: { n: 1 } };
