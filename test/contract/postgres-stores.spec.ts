import { rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { PostgresAckStore } from '../../src/ack/postgres-ack.store';
import { PostgresQueueStore } from '../../src/queue/postgres-queue.store';
import { PostgresTemplateStore } from '../../src/template/postgres-template.store';
import type { PostgresService } from '../../src/postgres/postgres.service';
import { embeddedFolder, PostgresServer } from '../support/postgres-server';
import { postgresService } from '../support/postgres-service';
import { describeAckStore } from './ack-store.suite';
import { describeQueueStore } from './queue-store.suite';
import { describeTemplateStore } from './template-store.suite';

const EMPTIED = 'TRUNCATE ara.message_queue, ara.dedupe_keys, ara.queue_stats, ara.pending_acks, ara.ack_stats';

/** Several nodes of one cluster, or the only node that an embedded server serves. */
type Nodes = readonly [PostgresService, ...PostgresService[]];

function describeStores(medium: string, nodes: () => Nodes): void {
  const emptied = async (): Promise<Nodes> => {
    const services = nodes();
    await services[0].run('test_empty', EMPTIED, []);
    return services;
  };
  describeQueueStore(medium, {
    make: async () => {
      const [first, ...others] = await emptied();
      return [new PostgresQueueStore(first), ...others.map((service) => new PostgresQueueStore(service))];
    },
  });
  describeAckStore(medium, async () => {
    const [first, ...others] = await emptied();
    return [new PostgresAckStore(first), ...others.map((service) => new PostgresAckStore(service))];
  });
  describeTemplateStore(medium, () => new PostgresTemplateStore(nodes()[0]));
}

describe('a PostgreSQL server', () => {
  let server: PostgresServer;
  let nodes: Nodes;

  beforeAll(async () => {
    server = await PostgresServer.start();
    nodes = [postgresService(server.url), postgresService(server.url)];
    await Promise.all(nodes.map((node) => node.open()));
  }, 60_000);

  afterAll(async () => {
    await Promise.all(nodes.map((node) => node.close()));
    await server.stop();
  });

  describeStores('PostgreSQL', () => nodes);
});

describe('an embedded PostgreSQL', () => {
  let node: PostgresService;
  const folder = embeddedFolder();

  beforeAll(async () => {
    node = postgresService(`embedded:${folder}`);
    await node.open();
  }, 60_000);

  afterAll(async () => {
    await node.close();
    rmSync(dirname(folder), { recursive: true });
  });

  describeStores('embedded PostgreSQL', () => [node]);
});
