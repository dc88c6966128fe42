import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { AraProcess, type Env } from '../support/ara-process';
import { samplesIn } from '../support/docs-page';
import { embeddedFolder, PostgresServer } from '../support/postgres-server';

const STORED: Env = {
  QUEUE_ENABLED: 'true',
  QUEUE_BACKEND: 'postgres',
  TEMPLATE_BACKEND: 'postgres',
  // A busy machine takes its time to make an embedded database.
  STORE_BOOT_TIMEOUT_SECONDS: '50',
};

/** The line of docs/operations.md that begins so, without its comment. */
function documented(start: string): string {
  const lines = samplesIn('docs/operations.md')
    .filter(({ language }) => language === 'console')
    .flatMap(({ code }) => code.split('\n'));
  const line = lines.find((one) => one.startsWith(start));
  if (line === undefined) throw new Error(`docs/operations.md shows no command that begins with ${start}`);
  return line.replace(/ {2,}#.*/, '');
}

/** Something to keep: a template, and a notification for a user who is away. */
async function fill(ara: AraProcess): Promise<void> {
  const template = { id: 'kept', name: 'Kept', event_type: 'kept', payload_template: '{{text}}' };
  expect((await ara.post('/api/v1/templates', template)).status).toBe(201);
  const sent = await ara.post('/api/v1/notifications/send', {
    target_user_id: 'away',
    template_id: 'kept',
    variables: { text: 'from the backup' },
  });
  expect(sent.json()).toMatchObject({ queued: true, durable: true });
}

async function expectAll(ara: AraProcess): Promise<void> {
  const client = await ara.ws('away');
  expect(await client.inbox.next(({ type }) => type === 'notification')).toMatchObject({ payload: 'from the backup' });
  expect((await ara.get('/api/v1/templates/kept')).status).toBe(200);
  client.socket.terminate();
}

// What docs/operations.md says about backups, done.
describe('a backup', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ara-backup-'));
  const running: AraProcess[] = [];
  const start = async (env: Env): Promise<AraProcess> => {
    const ara = await AraProcess.start({ ...STORED, ...env });
    running.push(ara);
    return ara;
  };

  afterEach(() => Promise.all(running.splice(0).map((ara) => ara.stop())));
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  it('of a PostgreSQL server is made while Ara runs, and restored into another database', async () => {
    const server = await PostgresServer.start();
    try {
      const run = (command: string, database: string): void => {
        execFileSync('sh', ['-c', command], {
          cwd: folder,
          env: { PATH: process.env['PATH'], DATABASE_URL: database },
        });
      };
      await fill(await start({ DATABASE_URL: server.url }));
      for (const command of ['--schema', '--table']) run(documented(`pg_dump "$DATABASE_URL" ${command}`), server.url);

      await server.query('CREATE DATABASE restored');
      const restored = server.url.replace(/postgres$/, 'restored');
      run(documented('pg_restore'), restored);
      const ara = await start({ DATABASE_URL: restored });
      await expectAll(ara);

      await ara.post('/api/v1/notifications/send', { target_user_id: 'also-away', event_type: 'any', payload: null });
      run(documented('psql'), restored);
      expect((await ara.get('/health')).json()).toMatchObject({ queue: { total_messages: 0 } });
    } finally {
      await Promise.all(running.splice(0).map((ara) => ara.stop()));
      await server.stop();
    }
  }, 240_000);

  it('of an embedded PostgreSQL is a copy of its folder', async () => {
    const source = embeddedFolder();
    const copy = embeddedFolder();
    try {
      const ara = await start({ DATABASE_URL: `embedded:${source}` });
      await fill(ara);
      await ara.stop();
      const command = documented('cp -a').replace('data/postgres', source).replace('/backup/postgres', copy);
      execFileSync('sh', ['-c', command]);
      rmSync(source, { recursive: true });
      const restored = await start({ DATABASE_URL: `embedded:${copy}` });
      await expectAll(restored);
      await restored.stop();
    } finally {
      for (const one of [source, copy]) rmSync(dirname(one), { recursive: true, force: true });
    }
  }, 240_000);
});
