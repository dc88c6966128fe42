import { Client } from 'pg';
import { migrate, migrationStatus } from '../../src/postgres/migrate';
import { PostgresServer } from '../support/postgres-server';

const ALL = ['001_message_queue', '002_pending_acks', '003_templates', '004_renewed_acks', '005_plain_append'];
const TABLES = ['ack_stats', 'dedupe_keys', 'message_queue', 'migrations', 'pending_acks', 'queue_stats', 'templates'];

describe('migrations', () => {
  let server: PostgresServer;
  const clients: Client[] = [];

  beforeAll(async () => {
    server = await PostgresServer.start();
  }, 60_000);

  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.end()));
    await server.query('DROP SCHEMA IF EXISTS ara CASCADE');
  });

  afterAll(() => server.stop());

  async function connected(user = 'postgres'): Promise<Client> {
    const client = new Client({ connectionString: server.url.replace('postgres@', `${user}@`) });
    clients.push(client);
    await client.connect();
    return client;
  }

  const tables = async (): Promise<string[]> =>
    (
      await server.query<{ tablename: string }>(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'ara' ORDER BY tablename",
      )
    ).map(({ tablename }) => tablename);

  it('are listed before and after, and looking changes nothing', async () => {
    const client = await connected();
    expect((await migrationStatus(client)).map(({ name, appliedAt }) => [name, appliedAt])).toEqual(
      ALL.map((name) => [name, undefined]),
    );
    expect(await tables()).toEqual([]);
    expect(await migrate(client)).toEqual(ALL);
    const after = await migrationStatus(client);
    expect(after.map(({ appliedAt, isChanged }) => [appliedAt instanceof Date, isChanged])).toEqual(
      ALL.map(() => [true, false]),
    );
    expect(await tables()).toEqual(TABLES);
    expect(await migrate(client)).toEqual([]);
  });

  it('are applied once by five processes that start together', async () => {
    const five = await Promise.all(Array.from({ length: 5 }, () => connected()));
    const applied = await Promise.all(five.map((client) => migrate(client)));
    expect(applied.flat()).toEqual(ALL);
    expect(await tables()).toEqual(TABLES);
  });

  it('leave alone what lies beside them under the same names', async () => {
    await server.query(
      "CREATE TABLE public.message_queue (mine text); INSERT INTO public.message_queue VALUES ('kept')",
    );
    await migrate(await connected());
    expect(await server.query('SELECT mine FROM public.message_queue')).toEqual([{ mine: 'kept' }]);
    await server.query('DROP TABLE public.message_queue');
  });

  it('refuse a database that got another text, and leave one alone that is further', async () => {
    const client = await connected();
    await migrate(client);
    await server.query("INSERT INTO ara.migrations (name, checksum) VALUES ('999_future', 'x')");
    expect(await migrate(client)).toEqual([]);
    await server.query("UPDATE ara.migrations SET checksum = 'other' WHERE name = '002_pending_acks'");
    await expect(migrate(client)).rejects.toThrow('002_pending_acks was applied with another text');
    expect((await migrationStatus(client)).map(({ isChanged }) => isChanged)).toEqual(
      ALL.map((name) => name === '002_pending_acks'),
    );
  });

  it('happen as a whole or not at all', async () => {
    await server.query('CREATE SCHEMA ara; CREATE TABLE ara.templates (in_the_way text)');
    const client = await connected();
    await expect(migrate(client)).rejects.toThrow('already exists');
    expect(await tables()).toEqual(['templates']);
    await server.query('DROP TABLE ara.templates');
    expect(await migrate(client)).toEqual(ALL);
  });

  it('need no right to create when there is nothing to do', async () => {
    await migrate(await connected());
    await server.query(
      'CREATE ROLE guest LOGIN; GRANT USAGE ON SCHEMA ara TO guest; GRANT SELECT ON ara.migrations TO guest',
    );
    const guest = await connected('guest');
    expect(await migrate(guest)).toEqual([]);
    await guest.end();
    clients.splice(clients.indexOf(guest), 1);
    await server.query('DROP OWNED BY guest; DROP ROLE guest');
  });
});
