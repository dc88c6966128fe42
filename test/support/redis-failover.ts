import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type RedisServer, startRedis } from './redis-server';
import { until } from './until';

const NAME = 'mymaster';
const SENTINELS = 3;
const QUORUM = 2;
const DOWN_AFTER_MS = 2_000;
const BOOT_MS = 20_000;
const FAILOVER_MS = 60_000;

/** A master, its replica, and three Sentinels that make the one of the other when it is gone. */
export class RedisFailover {
  private constructor(
    private readonly servers: readonly [RedisServer, RedisServer],
    private readonly sentinels: readonly RedisServer[],
  ) {}

  /** @param args of both servers */
  static async start(args: readonly string[] = []): Promise<RedisFailover> {
    // A replica that comes back is served at once, not after the five seconds in which further ones could come, too.
    const all = [...args, '--repl-diskless-sync-delay', '0'];
    const [first, second] = await Promise.all([startRedis({ args: all }), startRedis({ args: all })]);
    await second.command('REPLICAOF', '127.0.0.1', String(first.port));
    await until('the replica follows', async () => isFollowed(await first.info('replication')), BOOT_MS);
    const sentinels = await Promise.all(Array.from({ length: SENTINELS }, () => sentinelOf(first)));
    const group = new RedisFailover([first, second], sentinels);
    await until('the Sentinels know each other and the replica', () => group.#isComplete(), BOOT_MS);
    return group;
  }

  get url(): string {
    return `redis+sentinel://${this.sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',')}/${NAME}`;
  }

  /** Without a goodbye; resolves when the replica is the master. */
  async killMaster(): Promise<void> {
    const master = await this.#master();
    const [replica] = this.servers.filter((server) => server !== master);
    await master.kill9();
    await until(
      'the replica is the master',
      async () => (await replica!.info('replication')).includes('role:master'),
      FAILOVER_MS,
    );
  }

  /** Lets who was killed come back; resolves when it follows the new master. */
  async recover(): Promise<void> {
    const master = await this.#master();
    const [other] = this.servers.filter((server) => server !== master);
    await other!.start();
    await until('it follows the new master', async () => isFollowed(await master.info('replication')), FAILOVER_MS);
  }

  async close(): Promise<void> {
    await Promise.all([...this.sentinels, ...this.servers].map((server) => server.close()));
  }

  /** The one that says so of itself. */
  async #master(): Promise<RedisServer> {
    for (const server of this.servers) {
      const text = await server.info('replication').catch(() => '');
      if (text.includes('role:master')) return server;
    }
    throw new Error('there is no master');
  }

  async #isComplete(): Promise<boolean> {
    const texts = await Promise.all(this.sentinels.map((sentinel) => sentinel.info('sentinel')));
    return texts.every((text) => text.includes(`slaves=1,sentinels=${SENTINELS}`));
  }
}

function isFollowed(replication: string): boolean {
  return /^slave0:.*state=online/m.test(replication);
}

async function sentinelOf(master: RedisServer): Promise<RedisServer> {
  const config = join(master.folder, `sentinel-${Math.random().toString(36).slice(2)}.conf`);
  const lines = [
    `sentinel monitor ${NAME} 127.0.0.1 ${master.port} ${QUORUM}`,
    `sentinel down-after-milliseconds ${NAME} ${DOWN_AFTER_MS}`,
    `sentinel failover-timeout ${NAME} 10000`,
  ];
  writeFileSync(config, `${lines.join('\n')}\n`);
  return startRedis({ config, args: ['--sentinel'] });
}
